import { randomBytes } from "node:crypto";
import type { Lease } from "#proto/gen/containerd/services/leases/v1/leases_pb.ts";
import { classedError } from "#proto/wire/errors.ts";
import { filterField, filterLabel, type FilterAdaptor } from "#proto/wire/filters.ts";
import { quote } from "#proto/wire/identifiers.ts";
import { nanosOf, timestampNow } from "#proto/wire/timestamp.ts";
import type { Reader } from "../shared/database/reader.ts";
import { tables } from "./database/tables.ts";
import type { Transaction } from "../shared/database/transaction.ts";
import { ensureNamespace } from "./namespaces.ts";
import { storedLabels } from "./stored-labels.ts";

/** Throws not-found. */
export function getLease(reader: Reader, namespace: string, id: string): Lease {
  const lease = reader.get(tables.lease, [namespace, id]);
  if (lease === undefined) throw classedError("not-found", `lease ${quote(id)}`);
  return lease;
}

/** Throws already-exists. Ids are free strings; an empty one is replaced by a made-up one. */
export function createLease(
  tx: Transaction,
  namespace: string,
  requestedId: string,
  labels: Readonly<Record<string, string>>,
): Lease {
  const id = requestedId === "" ? newLeaseId() : requestedId;
  if (tx.has(tables.lease, [namespace, id])) throw classedError("already-exists", `lease ${quote(id)}`);
  ensureNamespace(tx, namespace);
  return tx.put(tables.lease, [namespace, id], { id, labels: storedLabels("", labels), createdAt: timestampNow() });
}

/** Removes a lease with the record of what it keeps. Throws not-found. */
export function deleteLease(tx: Transaction, namespace: string, id: string): void {
  getLease(tx, namespace, id);
  tx.remove(tables.lease, [namespace, id]);
  tx.removeRange(tables.leaseResource, [namespace, id]);
}

/** What filters see of a lease. */
export function leaseAdaptor({ id, labels }: Lease): FilterAdaptor {
  return ([field, ...rest]) => {
    switch (field) {
      case "id":
        return filterField(id === "" ? undefined : id);
      case "labels":
        return filterLabel(labels, rest);
      default:
        return filterField(undefined);
    }
  };
}

/** `<nanoseconds>-<4 base64url characters>`, as containerd leases/id.go: the part of the second, then chance. */
function newLeaseId(): string {
  const nanos = nanosOf(timestampNow()) % 1_000_000_000n;
  return `${nanos}-${randomBytes(3).toString("base64url")}`;
}
