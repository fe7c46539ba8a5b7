import type { Ingest } from "#proto/gen/bulkhead/metadata/v1/records_pb.ts";
import type { Status } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { classedError } from "#proto/wire/errors.ts";
import { filterField, type Filter, type FilterAdaptor } from "#proto/wire/filters.ts";
import { tables } from "../database/tables.ts";
import type { ContentParts } from "./begin.ts";
import type { Caller } from "../caller.ts";
import { forgetIngest, getIngest } from "./ingests.ts";

/** Ingests that the store is asked about at once. */
const askedAtOnce = 16;

/** Throws not-found; an ingest that the store lost is none. */
export async function ingestStatus({ database, backEnd }: ContentParts, caller: Caller, ref: string): Promise<Status> {
  const ingest = getIngest(database, caller.namespace, ref);
  if (ingest.shared !== "") return { ...(await backEnd.status(ingest.storeRef, caller)), ref };
  const status = await backEnd.findStatus(ingest.storeRef, caller);
  if (status === undefined) throw classedError("not-found", `reference ${ref}`);
  return { ...status, ref };
}

/** Open ingests of the namespace that pass the filter, in byte order of their refs. */
export async function listIngestStatuses(parts: ContentParts, caller: Caller, filter: Filter): Promise<Status[]> {
  const ingests = Array.from(parts.database.range(tables.ingest, [caller.namespace]), ({ value }) => value);
  const wanted = ingests.filter((ingest) => filter(refAdaptor(ingest)));
  const found: (Status | undefined)[] = [];
  for (let first = 0; first < wanted.length; first += askedAtOnce) {
    const asked = wanted.slice(first, first + askedAtOnce).map(async ({ ref, storeRef }) => {
      const status = await parts.backEnd.findStatus(storeRef, caller);
      return status && { ...status, ref };
    });
    found.push(...(await Promise.all(asked)));
  }
  return found.filter((status) => status !== undefined);
}

/**
 * Removes an ingest from the store, then from the namespace: a crash in between leaves a name without bytes, which
 * is no ingest. Throws not-found.
 */
export async function abortIngest({ database, backEnd }: ContentParts, caller: Caller, ref: string): Promise<void> {
  const { storeRef, shared } = getIngest(database, caller.namespace, ref);
  const isLost = shared === "" && (await backEnd.findStatus(storeRef, caller)) === undefined;
  await backEnd.abort(storeRef, caller);
  await database.write((tx) => forgetIngest(tx, caller, ref));
  if (isLost) throw classedError("not-found", `reference ${ref}`);
}

function refAdaptor({ ref }: Ingest): FilterAdaptor {
  return ([field, ...rest]) => filterField(field === "ref" && rest.length === 0 ? ref : undefined);
}
