import { Metadata as GrpcMetadata } from "@grpc/grpc-js";
import { HostError, type HostErrorOptions } from "#proto/wire/errors.ts";
import { kindOf } from "#proto/wire/status.ts";
import { decodeStatusDetails, statusDetailsKey } from "../status-details.ts";
import type { Metadata } from "../types.ts";

/** grpc-js metadata as ours: first value of each key, `-bin` values as base64. */
export function fromGrpcMetadata(metadata: GrpcMetadata): Metadata {
  const map = metadata.getMap();
  for (const [key, value] of Object.entries(map)) {
    if (typeof value !== "string") map[key] = value.toString("base64");
  }
  return map as Record<string, string>;
}

/** Our metadata as grpc-js's. */
export function toGrpcMetadata(metadata: Metadata | undefined, waitForReady: boolean): GrpcMetadata {
  const result = new GrpcMetadata({ waitForReady });
  for (const [key, value] of Object.entries(metadata ?? {})) {
    if (key.endsWith("-bin")) result.set(key, Buffer.from(value, "base64"));
    else result.set(key, value);
  }
  return result;
}

/** A failed call's status as a HostError, with its details. */
export function errorOfStatus(status: { code: number; details: string; metadata?: GrpcMetadata }): HostError {
  return new HostError(kindOf(status.code), status.details, detailsOf(status.metadata));
}

function detailsOf(trailers: GrpcMetadata | undefined): HostErrorOptions {
  const [bytes] = trailers?.get(statusDetailsKey) ?? [];
  return bytes instanceof Buffer ? decodeStatusDetails(bytes.toString("base64")) : {};
}
