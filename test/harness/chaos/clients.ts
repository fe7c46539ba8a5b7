import { createHash } from "node:crypto";
import { ctr } from "../ctr.ts";
import { PacedLoad } from "../paced-load.ts";
import type { LoadImage } from "./images.ts";

/** An answer that came later than this after the one before it is a gap, milliseconds. */
const gapMs = 20;

/** What a client of some kind saw. */
export interface Outcomes {
  /** Calls by what became of them: "ok", or the error without what differs from call to call. */
  readonly counts: ReadonlyMap<string, number>;
}

/** Times without an answer to anyone; performance.now(). */
export interface Gap {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Failure {
  readonly atMs: number;
  readonly failure: string;
}

/** Real clients of a daemon, until disposed: paced calls to packages, and the stock `ctr`. */
export class Clients implements AsyncDisposable {
  readonly gaps: Gap[] = [];
  readonly echoFailures: Failure[] = [];
  readonly #outcomes = new Map<string, Map<string, number>>();
  readonly #load: PacedLoad;
  readonly #lanes: readonly Promise<void>[];
  #over = false;
  #lastAnswerMs = performance.now();

  /**
   * `namespaces`: one a client of `ctr`; of their own, since stock `ctr` cannot ingest from a pipe what others have.
   * `images` are imported and removed by each.
   */
  constructor(
    address: string,
    callsPerSecond: number,
    { namespaces, images }: { readonly namespaces: readonly string[]; readonly images: readonly LoadImage[] },
  ) {
    this.#load = new PacedLoad(address, 8, callsPerSecond, ({ endedMs, failure }) => {
      this.#count("echo", failure ?? "ok");
      if (failure !== undefined) return void this.echoFailures.push({ atMs: endedMs, failure });
      if (endedMs - this.#lastAnswerMs > gapMs) this.gaps.push({ fromMs: this.#lastAnswerMs, toMs: endedMs });
      this.#lastAnswerMs = endedMs;
    });
    this.#lanes = namespaces.map((namespace) => this.#runCtr(address, namespace, images));
  }

  /** What became of the calls, by kind of client. */
  get outcomes(): ReadonlyMap<string, ReadonlyMap<string, number>> {
    return this.#outcomes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true;
    await Promise.all(this.#lanes);
    await this.#load[Symbol.asyncDispose]();
  }

  async #runCtr(address: string, namespace: string, images: readonly LoadImage[]): Promise<void> {
    for (let round = 0; !this.#over; round++) {
      const image = images[round % images.length];
      if (image === undefined) return;
      for (const { what, args, stdin } of sessionOf(`${namespace} ${round}`, image)) {
        if (this.#over) return;
        const result = await ctr(address, args, { namespace, stdin: stdin ?? "" }).catch((error: unknown) => ({
          code: -1,
          stderr: String(error),
        }));
        this.#count(`ctr ${what}`, result.code === 0 ? "ok" : result.stderr);
      }
    }
  }

  #count(kind: string, outcome: string): void {
    const counts = this.#outcomes.get(kind) ?? new Map<string, number>();
    this.#outcomes.set(kind, counts);
    const short = shorten(outcome);
    counts.set(short, (counts.get(short) ?? 0) + 1);
  }
}

interface Command {
  readonly what: string;
  readonly args: readonly string[];
  readonly stdin?: string;
}

/** What one round of a person at `ctr` does; it leaves nothing behind if all goes well. */
function sessionOf(name: string, { archive, image, layer }: LoadImage): readonly Command[] {
  const ref = createHash("sha256").update(name).digest();
  const bytes = `round ${name} `.repeat(1 + (ref.readUInt16LE() % 500));
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  // Nothing refers to what is ingested: a collection may have taken it before the next command.
  const ingest = ["content", "ingest", "--expected-digest", digest, ref.toString("hex")];
  return [
    { what: "version", args: ["version"] },
    { what: "content ingest", args: ingest, stdin: bytes },
    { what: "content ls", args: ["content", "ls", "-q"] },
    { what: "image import", args: ["image", "import", archive] },
    { what: "image check", args: ["image", "check", "--quiet"] },
    { what: "content get", args: ["content", "get", layer] },
    { what: "snapshots ls", args: ["snapshots", "ls"] },
    { what: "containers ls", args: ["containers", "ls", "-q"] },
    { what: "plugins ls", args: ["plugins", "ls"] },
    { what: "image rm", args: ["image", "rm", "--sync", image] },
  ];
}

/** Without digests, numbers and paths: what differs between two failures of one cause. */
function shorten(text: string): string {
  const line = text.trim().split("\n").at(-1) ?? "";
  return line
    .replaceAll(/(?:sha256:)?[0-9a-f]{64}/g, "<digest>")
    .replaceAll(/\/[\w./-]+\.sock/g, "<socket>")
    .replaceAll(/\d+/g, "N")
    .slice(0, 160);
}
