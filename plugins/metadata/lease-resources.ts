import { digestProblem } from "#proto/wire/digest.ts";
import { classedError, HostError } from "#proto/wire/errors.ts";
import type { Reader } from "../shared/database/reader.ts";
import { tables } from "./database/tables.ts";
import type { Transaction } from "../shared/database/transaction.ts";
import { getLease } from "./leases.ts";

/** Something that a lease keeps: a blob, an ingest or a snapshot of one snapshotter. */
export interface LeaseResource {
  /** `content`, `ingests` or `snapshots/<snapshotter>`. */
  readonly type: string;
  readonly id: string;
}

/** Throws not-found, invalid-argument, unimplemented. Whether the object exists is not asked. */
export function addLeaseResource(tx: Transaction, namespace: string, lease: string, resource: LeaseResource): void {
  getLease(tx, namespace, lease);
  checkResource(resource);
  if (resource.type === "snapshots/") throw new HostError("unknown", "bucket name required");
  if (resource.id === "") throw new HostError("unknown", "key required");
  keepInLease(tx, namespace, lease, resource);
}

/** Throws not-found (the lease), invalid-argument, unimplemented; a resource that is not there is fine. */
export function removeLeaseResource(tx: Transaction, namespace: string, lease: string, resource: LeaseResource): void {
  getLease(tx, namespace, lease);
  checkResource(resource);
  releaseFromLease(tx, namespace, lease, resource);
}

/** In byte order of types, then ids. Throws not-found. */
export function listLeaseResources(reader: Reader, namespace: string, lease: string): LeaseResource[] {
  getLease(reader, namespace, lease);
  return Array.from(reader.range(tables.leaseResource, [namespace, lease]), ({ value }) => value);
}

/** Adds an object that is being written to the call's lease, if it has one. Throws not-found for an unknown lease. */
export function joinLease(
  tx: Transaction,
  namespace: string,
  lease: string | undefined,
  resource: LeaseResource,
): void {
  if (lease === undefined) return;
  if (!tx.has(tables.lease, [namespace, lease])) throw classedError("not-found", "lease does not exist");
  keepInLease(tx, namespace, lease, resource);
}

/** Takes an object out of the call's lease; no lease, an unknown one or an absent object are fine. */
export function leaveLease(
  tx: Transaction,
  namespace: string,
  lease: string | undefined,
  resource: LeaseResource,
): void {
  if (lease !== undefined) releaseFromLease(tx, namespace, lease, resource);
}

function keepInLease(tx: Transaction, namespace: string, lease: string, { type, id }: LeaseResource): void {
  tx.put(tables.leaseResource, [namespace, lease, type, id], { type, id });
}

function releaseFromLease(tx: Transaction, namespace: string, lease: string, { type, id }: LeaseResource): void {
  tx.remove(tables.leaseResource, [namespace, lease, type, id]);
}

/** containerd's parseLeaseResource (metadata/leases.go). */
function checkResource({ type, id }: LeaseResource): void {
  const [kind, ...rest] = type.split("/");
  switch (kind) {
    case "content": {
      const problem = rest.length > 0 ? undefined : digestProblem(id);
      if (problem !== undefined) {
        throw classedError("invalid-argument", `invalid content resource id ${id}: ${problem}`);
      }
      break;
    }
    case "ingests":
      break;
    case "snapshots":
      if (rest.length !== 1) throw classedError("invalid-argument", `invalid snapshot resource type ${type}`);
      return;
    default:
      throw classedError("unimplemented", `resource type ${type} not supported yet`);
  }
  if (rest.length > 0) throw classedError("invalid-argument", `invalid resource type ${type}`);
}
