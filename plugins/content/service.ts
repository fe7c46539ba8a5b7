import { create, fromBinary } from "@bufbuild/protobuf";
import { classedError, HostError, implement, withRaw, type CallContext, type Service } from "bulkhead/plugin";
import {
  Content,
  InfoSchema,
  ListContentResponseSchema,
  ReadContentRequestSchema,
  StatusSchema,
  type Info,
  type Status,
  type WriteContentRequest,
} from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { digestProblem } from "#proto/wire/digest.ts";
import { compileFilters, filterField, type Filter } from "#proto/wire/filters.ts";
import { metadataKeys } from "#proto/wire/metadata-keys.ts";
import { timestampFromNanos, zeroTimestamp } from "#proto/wire/timestamp.ts";
import { bareTargets } from "./bare-target.ts";
import { freeBytes } from "./free-bytes.ts";
import type { IngestRecord } from "./ingest-record.ts";
import type { BlobInfo, LocalStore } from "./local-store.ts";
import type { MetadataClients } from "./metadata-calls.ts";
import { namespacedTargets } from "./namespaced-target.ts";
import type { ReadPermits } from "./read-permits.ts";
import { frameReadAnswer, readAnswerRoom } from "./read-answer.ts";
import { serveWrite } from "./write-session.ts";

/** Blobs in one message of a listing. */
const listBlock = 100;

/**
 * containerd.services.content.v1.Content over a store, answering as containerd's bare local store. A write that the
 * router marks as redirected by metadata is a client's namespaced one; a marked read metadata has allowed already, and
 * an unmarked one of the main socket's needs a permit.
 */
export function contentService(
  store: LocalStore,
  metadata: () => MetadataClients,
  permits: Pick<ReadPermits, "check">,
): Service {
  const typed = implement(Content, {
    info: ({ digest }) => {
      if (digestProblem(digest) !== undefined) throw failedValidation(digest);
      return { info: infoOf(store.info(digest)) };
    },
    update: ({ info }) => {
      const digest = info?.digest ?? "";
      if (digestProblem(digest) !== undefined) throw failedValidation(digest);
      throw classedError("failed-precondition", "update not supported on immutable content store");
    },
    delete: async ({ digest }) => {
      const problem = digestProblem(digest);
      if (problem !== undefined) throw new HostError("invalid-argument", problem);
      await store.delete(digest);
      return {};
    },
    list: ({ filters }) => listBlobs(store, compileFilters(filters)),
    status: ({ ref }) => ({ status: statusOf(store.status(ref)) }),
    listStatuses: async ({ filters }) => {
      const passes = compileFilters(filters);
      const found = await store.statuses();
      return { statuses: found.filter((record) => passes(refAdaptor(record))).map(statusOf) };
    },
    abort: async ({ ref }) => {
      await store.abort(ref);
      return {};
    },
    write: (requests, context) =>
      serveWrite(
        freed(requests),
        isNamespaced(context) ? namespacedTargets(store, metadata(), context) : bareTargets(store, context.signal),
      ),
  });
  return withRaw(typed, {
    Read: (requests, context) =>
      readBytes(store, requests, async (digest) => {
        if (isClients(context)) await permits.check(context, digest);
      }),
  });
}

/** Whether the call came from the main socket straight to here. */
function isClients(context: CallContext): boolean {
  return context.metadata[metadataKeys.caller]?.startsWith("uid:") === true && !isNamespaced(context);
}

function isNamespaced(context: CallContext): boolean {
  return context.metadata[metadataKeys.namespaced] === "1";
}

function failedValidation(digest: string): HostError {
  return new HostError("invalid-argument", `"${digest}" failed validation`);
}

/** Requests whose memory is given back when the next is asked for: the collector would let many megabytes gather. */
async function* freed(requests: AsyncIterable<WriteContentRequest>): AsyncGenerator<WriteContentRequest, void> {
  for await (const request of requests) {
    yield request;
    freeBytes(request.data);
  }
}

/**
 * Serialized messages in and out, so that the bytes of a blob are not copied by a codec. `permit` throws where the
 * caller may not read the blob.
 */
async function* readBytes(
  store: LocalStore,
  requests: AsyncIterable<Buffer>,
  permit: (digest: string) => Promise<void>,
): AsyncGenerator<Buffer, void, undefined> {
  for await (const bytes of requests) {
    const { digest, offset, size } = fromBinary(ReadContentRequestSchema, bytes);
    const problem = digestProblem(digest);
    if (problem !== undefined) throw new HostError("invalid-argument", `${digest}: ${problem}`);
    await permit(digest);
    for await (const chunk of store.read(digest, { offset, size, room: readAnswerRoom })) yield frameReadAnswer(chunk);
    return;
  }
  throw new HostError("internal", "the request has no message");
}

async function* listBlobs(store: LocalStore, passes: Filter) {
  let block: Info[] = [];
  for await (const blob of store.list()) {
    if (!passes(digestAdaptor(blob))) continue;
    // A listing leaves the time of the last read out.
    block.push(create(InfoSchema, { ...infoOf(blob), updatedAt: zeroTimestamp() }));
    if (block.length < listBlock) continue;
    yield create(ListContentResponseSchema, { info: block });
    block = [];
  }
  if (block.length > 0) yield create(ListContentResponseSchema, { info: block });
}

function digestAdaptor(blob: BlobInfo) {
  return ([field, ...rest]: readonly string[]) =>
    filterField(field === "digest" && rest.length === 0 ? blob.digest : undefined);
}

function refAdaptor(record: IngestRecord) {
  return ([field, ...rest]: readonly string[]) =>
    filterField(field === "ref" && rest.length === 0 ? record.ref : undefined);
}

function infoOf(blob: BlobInfo): Info {
  return create(InfoSchema, {
    digest: blob.digest,
    size: blob.size,
    createdAt: timestampFromNanos(blob.createdAt),
    updatedAt: timestampFromNanos(blob.updatedAt),
  });
}

function statusOf(record: IngestRecord): Status {
  return create(StatusSchema, {
    ref: record.ref,
    offset: record.offset,
    total: record.total,
    startedAt: timestampFromNanos(record.startedAt),
    updatedAt: timestampFromNanos(record.updatedAt),
  });
}
