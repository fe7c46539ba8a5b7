import { fromBinary } from "@bufbuild/protobuf";
import { implement, withRaw, type CallContext, type Service } from "bulkhead/plugin";
import { ContentDeleteSchema } from "#proto/gen/containerd/events/events_pb.ts";
import { Content, ReadContentRequestSchema } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { digestProblem } from "#proto/wire/digest.ts";
import { HostError, isHostError } from "#proto/wire/errors.ts";
import { compileFilters } from "#proto/wire/filters.ts";
import { quote } from "#proto/wire/identifiers.ts";
import { zeroTimestamp } from "#proto/wire/timestamp.ts";
import { tables } from "../database/tables.ts";
import { listBlocks } from "../listing.ts";
import type { ContentParts } from "./begin.ts";
import { blobAdaptor, deleteBlob, getBlob, updateBlob } from "./blobs.ts";
import { callerOf } from "../caller.ts";
import { abortIngest, ingestStatus, listIngestStatuses } from "./ingest-calls.ts";
import { redirectToStore } from "./redirect.ts";
import { relayWrite } from "./write-session.ts";

/** containerd.services.content.v1 (services/content/contentserver.go) over database and store. */
export function contentService(parts: ContentParts): Service {
  const { database } = parts;
  const typed = implement(Content, {
    info({ digest }, context) {
      if (digestProblem(digest) !== undefined) throw failedValidation(digest);
      return { info: getBlob(database, callerOf(context).namespace, digest) };
    },
    async *list({ filters }, context) {
      const { namespace } = callerOf(context);
      const listing = { table: tables.blob, namespace, filter: compileFilters(filters), adaptor: blobAdaptor };
      for (const blobs of listBlocks(database, listing)) {
        // containerd leaves the time of the last change out of listings.
        yield { info: blobs.map((blob) => ({ ...blob, updatedAt: zeroTimestamp() })) };
      }
    },
    async update({ info, updateMask }, context) {
      const { digest = "", labels = {} } = info ?? {};
      if (digestProblem(digest) !== undefined) throw failedValidation(digest);
      const { namespace } = callerOf(context);
      const paths = updateMask?.paths ?? [];
      return { info: await database.write((tx) => updateBlob(tx, namespace, { digest, labels }, paths)) };
    },
    async delete({ digest }, context) {
      const problem = digestProblem(digest);
      if (problem !== undefined) throw new HostError("invalid-argument", problem);
      const { namespace, lease } = callerOf(context);
      await database.write((tx) => {
        deleteBlob(tx, namespace, lease, digest);
        tx.publish(namespace, "/content/delete", ContentDeleteSchema, { digest });
      });
      return {};
    },
    async status({ ref }, context) {
      try {
        return { status: await ingestStatus(parts, callerOf(context), ref) };
      } catch (cause) {
        if (!isHostError(cause)) throw cause;
        // The store may have said the same of its own ref.
        const why = cause.message.replace(/^could not get status for ref "(?:[^"\\]|\\.)*": /, "");
        throw new HostError(cause.kind, `could not get status for ref ${quote(ref)}: ${why}`, { cause });
      }
    },
    listStatuses: async ({ filters }, context) => ({
      statuses: await listIngestStatuses(parts, callerOf(context), compileFilters(filters)),
    }),
    async abort({ ref }, context) {
      await abortIngest(parts, callerOf(context), ref);
      return {};
    },
  });
  return withRaw(typed, {
    Read: (requests, context) => relayRead(parts, requests, context),
    Write(requests, context) {
      // Before the first message: what it says is checked by the content package with this package's Begin.
      redirectToStore(parts.backEnd, context);
      return relayWrite(parts, requests, () => callerOf(context));
    },
  });
}

/** Who may see the blob is decided here; its bytes pass unread. */
async function* relayRead(
  { database, backEnd }: ContentParts,
  requests: AsyncIterable<Buffer>,
  context: CallContext,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const request of requests) {
    const { digest } = fromBinary(ReadContentRequestSchema, request);
    const problem = digestProblem(digest);
    if (problem !== undefined) throw new HostError("invalid-argument", `${digest}: ${problem}`);
    const caller = callerOf(context);
    getBlob(database, caller.namespace, digest);
    redirectToStore(backEnd, context);
    yield* backEnd.readRaw(request, caller);
    return;
  }
  throw new HostError("internal", "the request has no message");
}

function failedValidation(digest: string): HostError {
  return new HostError("invalid-argument", `${quote(digest)} failed validation`);
}
