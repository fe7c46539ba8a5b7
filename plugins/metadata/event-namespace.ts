import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { HostError, isHostError } from "#proto/wire/errors.ts";
import { namespaceOf } from "#proto/wire/identifiers.ts";
import type { Transaction } from "../shared/database/transaction.ts";

/**
 * Publishes an event in the namespace of the call. A namespace call needs none for its own work: as containerd's, it
 * is carried out and kept, and only then fails for the event. That failure (unknown) is returned, to be thrown after
 * the commit.
 */
export function publishNamespaceEvent<D extends DescMessage>(
  tx: Transaction,
  metadata: Readonly<Record<string, string>>,
  topic: string,
  schema: D,
  event: MessageInitShape<D>,
): HostError | undefined {
  try {
    tx.publish(namespaceOf(metadata), topic, schema, event);
    return undefined;
  } catch (cause) {
    if (!isHostError(cause)) throw cause;
    return new HostError("unknown", `failed publishing event: ${cause.message}`, { cause });
  }
}
