import { clientOf, type Log, type Peers } from "bulkhead/plugin";
import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { Events } from "#proto/gen/containerd/services/events/v1/events_pb.ts";
import { packAny } from "#proto/wire/any.ts";
import { metadataKeys } from "#proto/wire/metadata-keys.ts";
import { timestampNow } from "#proto/wire/timestamp.ts";

const eventPlugin = "io.containerd.event.v1";
/** Who waits for a task's step must not wait for its listeners, milliseconds. */
const tellTimeMs = 5000;

/** Tells of the steps of a task that its v1 shim does not tell of itself: all but exits. */
export class TaskEvents {
  readonly #peers: Peers;
  readonly #log: Log;

  constructor(peers: Peers, log: Log) {
    this.#peers = peers;
    this.#log = log;
  }

  /** Resolves when it was told, or cannot be: as in containerd, that is no failure of the step. */
  async tell<D extends DescMessage>(
    namespace: string,
    topic: string,
    schema: D,
    message: MessageInitShape<D>,
  ): Promise<void> {
    if (this.#peers.find(eventPlugin).length === 0) return;
    const options = { metadata: { [metadataKeys.namespace]: namespace }, deadlineMs: Date.now() + tellTimeMs };
    const envelope = { namespace, topic, timestamp: timestampNow(), event: packAny(schema, message) };
    try {
      await clientOf(Events, this.#peers.channel(eventPlugin)).forward({ envelope }, options);
    } catch (error) {
      this.#log.warn("step of a task not told of", { namespace, topic, error: String(error) });
    }
  }
}
