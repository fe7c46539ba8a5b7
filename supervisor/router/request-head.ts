import { encodeField, encodeFields, encodeHeaders } from "#proto/http2/hpack-encoder.ts";
import type { HeaderField } from "#proto/http2/header-field.ts";
import { errorCodes } from "#proto/http2/constants.ts";
import { StreamError } from "#proto/http2/protocol-error.ts";
import { metadataKeys } from "#proto/wire/metadata-keys.ts";
import type { Decision } from "./routing.ts";
import { parseTimeout } from "./grpc-timeout.ts";

/** What the router does with a field; kept in the field's memo, since fields of tables come again and again. */
const kinds = {
  unknown: 0,
  plain: 1,
  path: 2,
  method: 3,
  scheme: 4,
  authority: 5,
  /** An authority that strict servers refuse, which is not passed on. */
  oddAuthority: 6,
  plugin: 7,
  dropped: 8,
  timeout: 9,
  contentType: 10,
  te: 11,
  forbidden: 12,
  contentLength: 13,
  host: 14,
} as const;

const grpcType = "application/grpc";
/**
 * Named where a client names nobody whom servers would take for a host, like grpc-core, which names a unix socket with
 * percent signs that Rust's h2 (tonic) refuses. gRPC's servers do not look at it.
 */
const plainAuthority = encodeHeaders([[":authority", "localhost"]]);

/** The head of a request, ready to be sent on; immutable but for the memo of where it goes. */
export class RequestHead {
  readonly path: string;
  /** Full name of the service; empty when the path has none. */
  readonly service: string;
  readonly httpMethod: string;
  readonly contentType: string;
  /** What `content-length` says, bytes; -1: none. */
  readonly contentLength: number;
  /** Value of `bulkhead-plugin`; empty: none. */
  readonly plugin: string;
  /** What `grpc-timeout` says, milliseconds; undefined: none. */
  readonly timeoutMs: number | undefined;
  /** The header block for a package. */
  readonly block: Buffer;
  /** Where it goes, under the table of that stamp. */
  decision: Decision | undefined;
  decisionStamp = 0;
  readonly #fields: readonly HeaderField[];
  readonly #tail: Buffer;
  /** `:authority` where the request has none that servers take. */
  readonly #first: Buffer;

  /** Throws StreamError on a malformed request (RFC 9113 section 8.3). `tail` is appended to the block. */
  constructor(fields: readonly HeaderField[], tail: Buffer) {
    const found = readRequest(fields);
    this.path = found.path;
    this.service = serviceOf(found.path);
    this.httpMethod = found.method;
    this.contentType = found.contentType;
    this.contentLength = found.contentLength;
    this.plugin = found.plugin;
    this.timeoutMs = found.timeout === "" ? undefined : parseTimeout(found.timeout);
    this.#fields = fields;
    this.#tail = tail;
    this.#first = authorityFor(found);
    this.block = Buffer.concat([this.#first, encodeFields(fields.filter((field) => relayed(field))), tail]);
  }

  /** Whether the content type is gRPC's. */
  get isGrpc(): boolean {
    const after = this.contentType.slice(grpcType.length, grpcType.length + 1);
    return this.contentType.startsWith(grpcType) && (after === "" || after === "+" || after === ";");
  }

  /** The block with another deadline and with headers added: for calls that waited or were redirected. */
  blockWith(timeout: string | undefined, added: readonly (readonly [string, string])[]): Buffer {
    const fields = this.#fields.filter(
      (field) => relayed(field) && (timeout === undefined || field.memo !== kinds.timeout),
    );
    const deadline: [string, string][] = timeout === undefined ? [] : [["grpc-timeout", timeout]];
    return Buffer.concat([this.#first, encodeFields(fields), this.#tail, encodeHeaders([...deadline, ...added])]);
  }
}

/** Trailers of a request as a block. Throws StreamError when they hold what trailers may not. */
export function requestTrailers(fields: readonly HeaderField[]): Buffer {
  for (const field of fields) {
    const kind = kindOf(field);
    if (kind === kinds.forbidden || field.name.startsWith(":")) throw malformed(`trailer ${field.name}`);
  }
  return Buffer.concat(fields.filter((field) => relayed(field)).map((field) => field.literal(encodeField)));
}

interface Found {
  path: string;
  method: string;
  scheme: string;
  contentType: string;
  contentLength: number;
  plugin: string;
  timeout: string;
  hasAuthority: boolean;
  /** The first that servers take; empty: none. */
  host: string;
}

function readRequest(fields: readonly HeaderField[]): Found {
  const found: Found = {
    path: "",
    method: "",
    scheme: "",
    contentType: "",
    contentLength: -1,
    plugin: "",
    timeout: "",
    hasAuthority: false,
    host: "",
  };
  let pseudos = 0;
  let regular = false;
  for (const field of fields) {
    const kind = kindOf(field);
    if (kind >= kinds.path && kind <= kinds.oddAuthority) {
      const bit = 1 << Math.min(kind, kinds.authority);
      if (regular || (pseudos & bit) !== 0) throw malformed(`${field.name} out of place`);
      pseudos |= bit;
    } else {
      regular = true;
    }
    note(found, field, kind);
  }
  if (found.path === "" || found.method === "" || found.scheme === "")
    throw malformed("a request without path, method or scheme");
  return found;
}

function note(found: Found, field: HeaderField, kind: number): void {
  switch (kind) {
    case kinds.path:
      found.path = field.value;
      return;
    case kinds.method:
      found.method = field.value;
      return;
    case kinds.scheme:
      found.scheme = field.value;
      return;
    case kinds.authority:
      found.hasAuthority = true;
      return;
    case kinds.host:
      if (found.host === "" && validAuthority.test(field.value)) found.host = field.value;
      return;
    case kinds.contentType:
      found.contentType = field.value;
      return;
    case kinds.contentLength:
      if (found.contentLength >= 0) throw malformed("two content-lengths");
      found.contentLength = Number(field.value);
      return;
    case kinds.plugin:
      found.plugin = field.value;
      return;
    case kinds.timeout:
      found.timeout = field.value;
      return;
    case kinds.forbidden:
      throw malformed(`header ${JSON.stringify(field.name)}`);
    default:
      return;
  }
}

/** What goes in front of the fields. */
function authorityFor({ hasAuthority, host }: Found): Buffer {
  if (hasAuthority) return nothing;
  return host === "" ? plainAuthority : encodeHeaders([[":authority", host]]);
}

function relayed(field: HeaderField): boolean {
  switch (kindOf(field)) {
    case kinds.oddAuthority:
    case kinds.plugin:
    case kinds.dropped:
    case kinds.host:
      return false;
    default:
      return true;
  }
}

function kindOf(field: HeaderField): number {
  if (field.memo === kinds.unknown) field.memo = classify(field.name, field.value);
  return field.memo;
}

function classify(name: string, value: string): number {
  switch (name) {
    case ":path":
      return validPath.test(value) ? kinds.path : kinds.forbidden;
    case ":method":
      return validMethod.test(value) ? kinds.method : kinds.forbidden;
    case ":scheme":
      return validScheme.test(value) ? kinds.scheme : kinds.forbidden;
    case ":authority":
      return validAuthority.test(value) ? kinds.authority : kinds.oddAuthority;
    case "host":
      return kinds.host;
    case "content-type":
      return validValue.test(value) ? kinds.contentType : kinds.forbidden;
    case "content-length":
      return validLength.test(value) ? kinds.contentLength : kinds.forbidden;
    case "grpc-timeout":
      return validValue.test(value) ? kinds.timeout : kinds.forbidden;
    case "te":
      return value === "trailers" ? kinds.te : kinds.forbidden;
    case "connection":
    case "proxy-connection":
    case "keep-alive":
    case "transfer-encoding":
    case "upgrade":
      return kinds.forbidden;
    case metadataKeys.plugin:
      return kinds.plugin;
    default:
      if (!validName.test(name) || !validValue.test(value)) return kinds.forbidden;
      return name.startsWith("bulkhead-") ? kinds.dropped : kinds.plain;
  }
}

/** Lower-case token characters of RFC 9110; a colon would be an unknown pseudo-header. */
export const validName: RegExp = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
/** No NUL, CR or LF, and no white space at either end. */
// oxlint-disable-next-line no-control-regex
export const validValue: RegExp = /^(?:[^\0\r\n\t ](?:[^\0\r\n]*[^\0\r\n\t ])?)?$/;

/** Pseudo-headers as strict servers want them; one that does not would have them count invalid frames. */
const validPath = /^[!-~\x80-\xff]+$/;
const validMethod = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const validScheme = /^[A-Za-z][A-Za-z0-9+.-]*$/;
const validAuthority = /^[A-Za-z0-9\-._~!$&'()*+,;=:@[\]]+$/;
const nothing = Buffer.alloc(0);

/** A number of bytes that a double counts exactly. */
export const validLength: RegExp = /^[0-9]{1,15}$/;

function serviceOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return path.startsWith("/") && slash > 0 ? path.slice(1, slash) : "";
}

function malformed(what: string): StreamError {
  return new StreamError(errorCodes.protocolError, `malformed request: ${what}`);
}
