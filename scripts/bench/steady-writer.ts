import { setTimeout as pause } from "node:timers/promises";
import { Namespaces } from "#proto/gen/containerd/services/namespaces/v1/namespaces_pb.ts";
import { clientOf, connect, type Channel } from "#rpc";

/** Between two writes, milliseconds. */
const intervalMs = 2;

/** Writes one small thing after another until disposed, and knows how long the longest took. Owns: its connection. */
export class SteadyWriter implements AsyncDisposable {
  readonly #channel: Channel;
  readonly #loop: Promise<void>;
  #isOver = false;
  /** Milliseconds, so far. */
  longestMs = 0;

  constructor(address: string, namespace: string) {
    this.#channel = connect(address);
    this.#loop = this.#run(namespace);
    // Met again when disposed.
    this.#loop.catch(() => undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#loop;
    this.#channel[Symbol.dispose]();
  }

  async #run(namespace: string): Promise<void> {
    const namespaces = clientOf(Namespaces, this.#channel);
    const scope = { metadata: { "containerd-namespace": namespace } };
    const updateMask = { paths: ["labels.turn"] };
    for (let turn = 0; !this.#isOver; turn++) {
      const startedMs = performance.now();
      await namespaces.update({ namespace: { name: namespace, labels: { turn: `${turn}` } }, updateMask }, scope);
      // The first one has the connection to make.
      if (turn > 0) this.longestMs = Math.max(this.longestMs, performance.now() - startedMs);
      await pause(intervalMs);
    }
  }
}
