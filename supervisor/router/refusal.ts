import { encodeHeaders } from "#proto/http2/hpack-encoder.ts";
import type { ErrorKind } from "#proto/wire/errors.ts";
import { codeOf } from "#proto/wire/status.ts";
import { encodeStatus } from "./status-details.ts";

/** An answer of the router's own: a gRPC status, and for refusals why, for programs. */
export interface Refusal {
  readonly kind: ErrorKind;
  readonly message: string;
  /** google.rpc.ErrorInfo; domain is "bulkhead". */
  readonly info?: { readonly reason: string; readonly metadata: Readonly<Record<string, string>> };
  /** google.rpc.RetryInfo, milliseconds. */
  readonly retryAfterMs?: number;
}

/** Why a call ends whose deadline came while it waited. */
export function deadlineRefusal(waitedFor: string): Refusal {
  return { kind: "deadline-exceeded", message: `deadline exceeded while the call waited for ${waitedFor}` };
}

/** A whole answer of headers and trailers in one (trailers-only). */
export function refusalBlock(refusal: Refusal): Buffer {
  return encodeHeaders([[":status", "200"], ["content-type", "application/grpc"], ...statusHeaders(refusal)]);
}

/** Trailers that end an answer whose headers are out. */
export function refusalTrailers(refusal: Refusal): Buffer {
  return encodeHeaders(statusHeaders(refusal));
}

/** An answer to what is no gRPC request, as grpc-go words it. */
export function httpRefusalBlock(status: number, message: string): Buffer {
  return encodeHeaders([
    [":status", String(status)],
    ["content-type", "application/grpc"],
    ["grpc-status", String(status === 405 ? codeOf("internal") : codeOf("invalid-argument"))],
    ["grpc-message", percentEncode(message)],
  ]);
}

function statusHeaders(refusal: Refusal): [string, string][] {
  const code = codeOf(refusal.kind);
  const headers: [string, string][] = [
    ["grpc-status", String(code)],
    ["grpc-message", percentEncode(refusal.message)],
  ];
  if (refusal.info === undefined && refusal.retryAfterMs === undefined) return headers;
  const details = encodeStatus({
    code,
    message: refusal.message,
    info: refusal.info,
    retryAfterMs: refusal.retryAfterMs,
  });
  headers.push(["grpc-status-details-bin", details.toString("base64").replace(/=+$/, "")]);
  return headers;
}

/** `grpc-message` as the gRPC protocol wants it: bytes outside printable ASCII, and "%", as %XX. */
export function percentEncode(text: string): string {
  return Array.from(Buffer.from(text, "utf8"), (byte) =>
    byte < 0x20 || byte > 0x7e || byte === 0x25
      ? `%${byte.toString(16).toUpperCase().padStart(2, "0")}`
      : String.fromCharCode(byte),
  ).join("");
}
