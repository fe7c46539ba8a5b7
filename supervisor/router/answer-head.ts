import { latin1Of } from "#proto/http2/latin1.ts";
import { HpackDecoder } from "#proto/http2/hpack-decoder.ts";
import type { HeaderField } from "#proto/http2/header-field.ts";
import { metadataKeys } from "#proto/wire/metadata-keys.ts";
import { validLength, validName, validValue } from "./request-head.ts";

/** A header block of a package, as the router needs it. */
export interface AnswerHead {
  /** The block without a leading table size update: it uses no dynamic table, so it means the same anywhere. */
  readonly block: Buffer;
  /** HTTP status; 0: none, these are trailers. */
  readonly httpStatus: number;
  /** Value of `grpc-status`; -1: none. */
  readonly grpcStatus: number;
  /** Package to which the call is redirected; empty: none. */
  readonly redirect: string;
  /** Headers that the redirect adds to the request. */
  readonly added: readonly (readonly [name: string, value: string])[];
  /** What `content-length` says, bytes; -1: none. */
  readonly contentLength: number;
  /** Breaks RFC 9113 section 8: not to be relayed. */
  readonly malformed: boolean;
}

const cachedBlocks = 256;
const cachedBlockBytes = 512;

/**
 * Reads the answers' header blocks of one connection, on which SETTINGS_HEADER_TABLE_SIZE is 0: the same bytes mean
 * the same fields, and most answers repeat. Throws ConnectionError on a block that cannot be decoded.
 */
export class AnswerReader {
  readonly #decoder = new HpackDecoder(0);
  readonly #cache = new Map<string, AnswerHead>();

  read(bytes: Buffer, start: number, end: number): AnswerHead {
    if (end - start > cachedBlockBytes) return this.#decode(bytes, start, end);
    const key = latin1Of(bytes, start, end);
    const known = this.#cache.get(key);
    if (known !== undefined) return known;
    const head = this.#decode(bytes, start, end);
    if (this.#cache.size >= cachedBlocks) this.#cache.clear();
    this.#cache.set(key, head);
    return head;
  }

  #decode(bytes: Buffer, start: number, end: number): AnswerHead {
    const fields = this.#decoder.decode(bytes, start, end);
    return describe(fields, Buffer.from(bytes.subarray(afterSizeUpdates(bytes, start, end), end)));
  }
}

/** Where the first field begins. */
function afterSizeUpdates(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && ((bytes[at] ?? 0) & 0xe0) === 0x20) {
    let last = ((bytes[at++] ?? 0) & 0x1f) !== 0x1f;
    while (!last && at < end) last = ((bytes[at++] ?? 0) & 0x80) === 0;
  }
  return at;
}

function describe(fields: readonly HeaderField[], block: Buffer): AnswerHead {
  let httpStatus = 0;
  let grpcStatus = -1;
  let redirect = "";
  let contentLength = -1;
  let malformed = false;
  const added: [string, string][] = [];
  for (const [at, { name, value }] of fields.entries()) {
    malformed ||= !(name === "grpc-message" ? validMessage : validValue).test(value);
    if (name === ":status" && at === 0) {
      httpStatus = Number(value);
      malformed ||= !validStatus.test(value);
    } else if (name === "content-length") {
      malformed ||= contentLength >= 0 || httpStatus < 200 || !validLength.test(value);
      contentLength = Number(value);
    } else if (name === "grpc-status") grpcStatus = Number(value);
    else if (name === metadataKeys.redirect) redirect = value;
    else if (name.startsWith(metadataKeys.redirectSet)) {
      const set = name.slice(metadataKeys.redirectSet.length);
      malformed ||= !validName.test(set);
      added.push([set, value]);
    } else malformed ||= !validName.test(name) || connectionSpecific.has(name);
  }
  return { block, httpStatus, grpcStatus, redirect, added, contentLength, malformed };
}

/** grpc-go leaves a space at an end as it is, against RFC 9113 section 8.2.1; whoever is told does not mind. */
// oxlint-disable-next-line no-control-regex
const validMessage = /^[^\0\r\n]*$/;
/** RFC 9113 section 8.6 forbids 101. */
const validStatus = /^(?!101)[1-5][0-9][0-9]$/;
const connectionSpecific = new Set(["connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"]);
