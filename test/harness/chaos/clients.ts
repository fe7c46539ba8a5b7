import { createHash } from "node:crypto";
import { ctr } from "../ctr.ts";
import { PacedLoad } from "../paced-load.ts";

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

  /** `namespaces`: one a client of `ctr`; of their own, since stock `ctr` cannot ingest from a pipe what others have. */
  constructor(address: string, callsPerSecond: number, namespaces: readonly string[]) {
    this.#load = new PacedLoad(address, 8, callsPerSecond, ({ endedMs, failure }) => {
      this.#count("echo", failure ?? "ok");
      if (failure !== undefined) return void this.echoFailures.push({ atMs: endedMs, failure });
      if (endedMs - this.#lastAnswerMs > gapMs) this.gaps.push({ fromMs: this.#lastAnswerMs, toMs: endedMs });
      this.#lastAnswerMs = endedMs;
    });
    this.#lanes = namespaces.map((namespace) => this.#runCtr(address, namespace));
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

  async #runCtr(address: string, namespace: string): Promise<void> {
    for (let round = 0; !this.#over; round++) {
      for (const { what, args, stdin } of sessionOf(`${namespace} ${round}`)) {
        if (this.#over) return;
        const result = await ctr(address, args, { namespace, stdin }).catch((error: unknown) => ({
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

/** What one round of a person at `ctr` does; it leaves nothing behind if all goes well. */
function sessionOf(
  name: string,
): readonly { readonly what: string; readonly args: readonly string[]; readonly stdin: string }[] {
  const ref = createHash("sha256").update(name).digest();
  const bytes = `round ${name} `.repeat(1 + (ref.readUInt16LE() % 500));
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  return [
    { what: "version", args: ["version"], stdin: "" },
    {
      what: "content ingest",
      args: ["content", "ingest", "--expected-digest", digest, ref.toString("hex")],
      stdin: bytes,
    },
    { what: "content ls", args: ["content", "ls", "-q"], stdin: "" },
    { what: "content get", args: ["content", "get", digest], stdin: "" },
    { what: "content rm", args: ["content", "rm", digest], stdin: "" },
    { what: "containers ls", args: ["containers", "ls", "-q"], stdin: "" },
    { what: "plugins ls", args: ["plugins", "ls"], stdin: "" },
  ];
}

/** Without digests, numbers and paths: what differs between two failures of one cause. */
function shorten(text: string): string {
  const line = text.trim().split("\n").at(-1) ?? "";
  return line
    .replaceAll(/sha256:[0-9a-f]+/g, "<digest>")
    .replaceAll(/\/[\w./-]+\.sock/g, "<socket>")
    .replaceAll(/\d+/g, "N")
    .slice(0, 160);
}
