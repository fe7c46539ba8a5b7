import { encodeHeaders } from "#proto/http2/hpack-encoder.ts";
import type { HeaderField } from "#proto/http2/header-field.ts";
import type { Metadata } from "../types.ts";

type Pair = readonly [name: string, value: string];

/** Header names gRPC itself uses: never part of metadata. */
const reserved = new Set([
  "te",
  "content-type",
  "grpc-timeout",
  "grpc-encoding",
  "grpc-accept-encoding",
  "grpc-status",
  "grpc-message",
]);

/** Metadata of a header list: first value of each key, `-bin` values as they came (base64). */
export function metadataOf(fields: readonly HeaderField[]): Metadata {
  const metadata: Record<string, string> = {};
  for (const { name, value } of fields) {
    if (name.startsWith(":") || reserved.has(name) || name in metadata) continue;
    metadata[name] = value;
  }
  return metadata;
}

/** Value of the first field of that name. */
export function fieldOf(fields: readonly HeaderField[], name: string): string | undefined {
  return fields.find((field) => field.name === name)?.value;
}

/** Header block of a client's request. */
export function requestBlock(method: string, metadata: Metadata | undefined, timeoutMs: number | undefined): Buffer {
  const pairs: Pair[] = [
    [":method", "POST"],
    [":scheme", "http"],
    [":path", method],
    [":authority", "localhost"],
    ["te", "trailers"],
    ["content-type", "application/grpc"],
  ];
  if (timeoutMs !== undefined) pairs.push(["grpc-timeout", timeoutText(timeoutMs)]);
  return encodeHeaders([...pairs, ...metadataPairs(metadata)]);
}

const plainAnswer = encodeHeaders([
  [":status", "200"],
  ["content-type", "application/grpc"],
]);
const plainOk = encodeHeaders([["grpc-status", "0"]]);

/** Header block that begins an answer. */
export function answerBlock(metadata: Metadata | undefined): Buffer {
  return metadata === undefined ? plainAnswer : Buffer.concat([plainAnswer, encodeHeaders(metadataPairs(metadata))]);
}

/** Header block that ends an answer. */
export function trailersBlock(code: number, message: string, metadata: Metadata | undefined): Buffer {
  if (code === 0 && metadata === undefined) return plainOk;
  const pairs: Pair[] = [["grpc-status", String(code)]];
  if (message !== "") pairs.push(["grpc-message", encodeMessageText(message)]);
  return encodeHeaders([...pairs, ...metadataPairs(metadata)]);
}

/** An answer that is trailers alone. */
export function trailersOnlyBlock(code: number, message: string, metadata: Metadata | undefined): Buffer {
  return Buffer.concat([plainAnswer, trailersBlock(code, message, metadata)]);
}

function metadataPairs(metadata: Metadata | undefined): Pair[] {
  return Object.entries(metadata ?? {}).map(([name, value]) => [name.toLowerCase(), headerText(value)]);
}

/** Header values are latin1 without control characters; what does not fit is replaced. */
function headerText(value: string): string {
  return value.replace(/[^\x20-\x7e\x80-\xff]/g, "?");
}

/** grpc-message: UTF-8, percent-encoded outside of printable ASCII (PROTOCOL-HTTP2.md, "Status-Message"). */
export function encodeMessageText(text: string): string {
  if (/^[\x20-\x24\x26-\x7e]*$/.test(text)) return text;
  let encoded = "";
  for (const byte of Buffer.from(text)) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}

/** The text of a grpc-message; broken escapes stay as they are. */
export function decodeMessageText(text: string): string {
  if (!text.includes("%")) return Buffer.from(text, "latin1").toString();
  const bytes: number[] = [];
  for (let at = 0; at < text.length; at++) {
    const hex = text[at] === "%" ? text.slice(at + 1, at + 3) : "";
    if (/^[0-9a-fA-F]{2}$/.test(hex)) {
      bytes.push(Number.parseInt(hex, 16));
      at += 2;
    } else bytes.push(text.charCodeAt(at) & 0xff);
  }
  return Buffer.from(bytes).toString();
}

const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 0.001, n: 0.000_001 };

/** Milliseconds of a grpc-timeout; undefined: none, or none that can be read. */
export function timeoutMsOf(text: string | undefined): number | undefined {
  const match = text === undefined ? null : /^(\d{1,8})([HMSmun])$/.exec(text);
  const unit = unitMs[match?.[2] ?? ""];
  return match === null || unit === undefined ? undefined : Number(match[1]) * unit;
}

/** A grpc-timeout of at most eight digits. */
function timeoutText(timeoutMs: number): string {
  const ms = Math.max(0, Math.ceil(timeoutMs));
  return ms < 1e8 ? `${ms}m` : `${Math.min(99_999_999, Math.ceil(ms / 1000))}S`;
}
