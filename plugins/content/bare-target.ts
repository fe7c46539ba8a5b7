import type { IngestWriter, WriterStatus } from "./ingest-writer.ts";
import type { LocalStore } from "./local-store.ts";
import type { OpenTarget, WriteCommit, WriteTarget } from "./write-session.ts";
import { classedError } from "bulkhead/plugin";
import { digestProblem } from "#proto/wire/digest.ts";

/** Opens writes as containerd's bare store does: refs and blobs are everybody's, labels are not kept. */
export function bareTargets(store: LocalStore, signal: AbortSignal): OpenTarget {
  return async ({ ref, total, expected }) => {
    if (expected !== "") refuseExpected(store, expected);
    return new BareTarget(store, await store.openWriter(ref, total, signal));
  };
}

function refuseExpected(store: LocalStore, expected: string): void {
  const problem = digestProblem(expected);
  if (problem !== undefined) {
    const what = "calculating expected blob path for writer: cannot calculate blob path from invalid digest";
    throw classedError("invalid-argument", `${what}: ${problem}`);
  }
  if (store.has(expected)) throw classedError("already-exists", `content ${expected}`);
}

/** Owns: the writer. */
class BareTarget implements WriteTarget {
  readonly #store: LocalStore;
  readonly #writer: IngestWriter;

  constructor(store: LocalStore, writer: IngestWriter) {
    this.#store = store;
    this.#writer = writer;
  }

  get status(): WriterStatus {
    return this.#writer.status;
  }

  get digest(): string {
    return this.#writer.digest;
  }

  async write(data: Uint8Array): Promise<void> {
    await this.#writer.write(data);
  }

  async restart(): Promise<void> {
    await this.#writer.restart();
  }

  async commit({ size, expected }: WriteCommit): Promise<void> {
    await this.#store.commit(this.#writer, { size, expected });
  }

  async discard(): Promise<void> {
    await this.#writer.discard();
  }

  has(digest: string): Promise<boolean> {
    return Promise.resolve(this.#store.has(digest));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer[Symbol.asyncDispose]();
  }
}
