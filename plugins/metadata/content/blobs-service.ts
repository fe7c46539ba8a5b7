import { implement, type Service } from "bulkhead/plugin";
import type { Intent } from "#proto/gen/bulkhead/metadata/v1/records_pb.ts";
import { Blobs } from "#proto/gen/bulkhead/blobs/v1/blobs_pb.ts";
import { classedError, HostError } from "#proto/wire/errors.ts";
import { beginWrite, type ContentParts } from "./begin.ts";
import { getBlob } from "./blobs.ts";
import { callerOf } from "../caller.ts";
import { commitOf, findCommit, finishCommit, prepareCommit, wasIssued } from "./commits.ts";
import { tables } from "../database/tables.ts";
import { settleEarlier, settleCommit } from "./settlement.ts";

/** bulkhead.blobs.v1 for the content package: who may read, and the relay's own steps of a write, one by one. */
export function blobsService(parts: ContentParts): Service {
  const { database } = parts;
  return implement(Blobs, {
    check({ digest }, context) {
      getBlob(database, callerOf(context).namespace, digest);
      return { lossesFile: parts.losses.file, losses: parts.losses.count };
    },
    async begin({ ref, total, expected }, context) {
      if (ref === "") throw classedError("invalid-argument", "ref must not be empty");
      const { storeRef, shared } = await beginWrite(parts, callerOf(context), { ref, total, expected });
      return { storeRef, shared: shared !== undefined, size: shared?.size ?? 0n };
    },
    async prepare({ ref, digest, size, labels }, context) {
      const { namespace, lease } = callerOf(context);
      const plan = { namespace, lease, ref, digest, size, labels };
      await settleEarlier(parts, plan);
      const { hasRecord, intent } = await database.write((tx) => ({
        hasRecord: tx.has(tables.ingest, [namespace, ref]),
        intent: prepareCommit(tx, plan),
      }));
      // The same bytes may be just being deleted: from now on they are kept.
      await parts.removals.whenDone("content", digest);
      if (!hasRecord) await checkBytes(parts, intent);
      parts.onStep?.("intent-stored");
      return { intent: intent.sequence };
    },
    async commit({ ref, intent: sequence }, context) {
      const { namespace } = callerOf(context);
      const known = await database.write((tx) => {
        const intent = findCommit(tx, namespace, ref);
        if (intent?.sequence === sequence) {
          return finishCommit(tx, intent) === "known" ? commitOf(intent).digest : undefined;
        }
        // Asked again after an answer that was lost, or settled meanwhile: either way it is done.
        if (wasIssued(tx, sequence)) return undefined;
        throw new HostError("not-found", `commit "${ref}": no intent ${sequence} was ever given out`);
      });
      parts.onStep?.("recorded");
      if (known !== undefined) throw classedError("already-exists", `content ${known}`);
      return {};
    },
  });
}

/** The write was collected meanwhile: what it was to commit may be gone. Throws unavailable; it can be begun again. */
async function checkBytes(parts: ContentParts, intent: Intent): Promise<void> {
  if ((await settleCommit(parts, intent, { undo: false })) !== "dropped") return;
  const { ref } = commitOf(intent);
  throw new HostError("unavailable", `commit "${ref}": the write was collected meanwhile; begin it again`);
}
