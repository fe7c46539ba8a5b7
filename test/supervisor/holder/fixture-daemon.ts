import { connect } from "node:net";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Child, type ChildOptions } from "../../harness/child.ts";
import { assertNothingLeft } from "../../harness/leftovers.ts";
import { makeTempFolder, type TempFolder } from "../../harness/temp-folder.ts";

const entry = resolve(import.meta.dirname, "../../fixtures/holder/daemon.ts");

export interface FixtureOptions extends ChildOptions {
  readonly folder?: TempFolder;
  /** YAML after root, state and address. */
  readonly config?: string;
  readonly args?: readonly string[];
  /** Words in front of node, like unshare's. */
  readonly prefix?: readonly string[];
}

/** A holder with fixture parts on folders of its own. Owns: the process and the folder; disposing stops and checks. */
export class FixtureDaemon implements AsyncDisposable {
  readonly folder: TempFolder;
  readonly child: Child;
  readonly #ownsFolder: boolean;

  private constructor(folder: TempFolder, child: Child, ownsFolder: boolean) {
    this.folder = folder;
    this.child = child;
    this.#ownsFolder = ownsFolder;
  }

  /** Starts it without waiting for anything. */
  static async launch(options: FixtureOptions = {}): Promise<FixtureDaemon> {
    const folder = options.folder ?? (await makeTempFolder("h"));
    const config = folder.join("config.yaml");
    const paths = `root: ${folder.join("root")}\nstate: ${folder.join("state")}\n`;
    await writeFile(config, `${paths}${options.config ?? ""}\n`);
    const [command, ...words] = [...(options.prefix ?? []), process.execPath, entry];
    const args = [...words, "--config", config, "-l", "debug", ...(options.args ?? [])];
    const child = new Child(command, args, { env: { ...process.env, ...options.env } });
    return new FixtureDaemon(folder, child, options.folder === undefined);
  }

  /** Starts it and waits until control is ready. */
  static async start(options: FixtureOptions = {}): Promise<FixtureDaemon> {
    const daemon = await FixtureDaemon.launch(options);
    try {
      await daemon.child.output.waitFor(/part ready.*part=control/);
      await daemon.child.output.waitFor(/part ready.*part=router/);
      return daemon;
    } catch (error) {
      await daemon[Symbol.asyncDispose]();
      throw error;
    }
  }

  get state(): string {
    return this.folder.join("state");
  }

  get mainSocket(): string {
    return join(this.state, "bulkhead.sock");
  }

  /** Pid in the nth line (from 0) that matches. */
  async pidOf(part: "router" | "control", nth = 0): Promise<number> {
    const pattern = new RegExp(`part started.*part=${part} pid=(\\d+)`);
    await this.child.output.waitFor(pattern);
    const lines = this.child.output.lines.flatMap((line) => pattern.exec(line)?.[1] ?? []);
    return Number(lines[nth]);
  }

  async stop(): Promise<number | null> {
    this.child.kill("SIGTERM");
    return (await this.child.waitForExit()).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.child.running) await this.stop();
      if (this.#ownsFolder) await assertNothingLeft(this.folder.path);
    } finally {
      await this.child[Symbol.asyncDispose]();
      if (this.#ownsFolder) await this.folder[Symbol.asyncDispose]();
    }
  }
}

/** What the router says to a new connection: the listener's name and its pid. Rejects when it cannot connect. */
export async function ask(path: string): Promise<string> {
  const socket = connect(path).setEncoding("utf8");
  let answer = "";
  socket.on("data", (text: string) => (answer += text));
  await once(socket, "end");
  socket.destroy();
  return answer;
}
