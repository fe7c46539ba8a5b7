import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { anyPack, anyUnpack, DurationSchema, type Any } from "@bufbuild/protobuf/wkt";
import { ErrorInfoSchema, RetryInfoSchema } from "#proto/gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "#proto/gen/google/rpc/status_pb.ts";
import type { HostError, HostErrorOptions } from "#proto/wire/errors.ts";
import { codeOf } from "#proto/wire/status.ts";

/** Metadata key that carries google.rpc.Status. */
export const statusDetailsKey = "grpc-status-details-bin";

/** The error's details as base64 of google.rpc.Status; undefined: it has none. */
export function encodeStatusDetails(error: HostError): string | undefined {
  if (error.info === undefined && error.retryAfterMs === undefined) return undefined;
  const details: Any[] = [];
  if (error.info !== undefined) {
    const { reason, metadata } = error.info;
    details.push(
      anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { reason, domain: "bulkhead", metadata: { ...metadata } })),
    );
  }
  if (error.retryAfterMs !== undefined) {
    const ms = Math.ceil(error.retryAfterMs);
    const retryDelay = create(DurationSchema, { seconds: BigInt(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1e6 });
    details.push(anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay })));
  }
  const status = create(StatusSchema, { code: codeOf(error.kind), message: error.message, details });
  return Buffer.from(toBinary(StatusSchema, status)).toString("base64");
}

/** Details of a failed call; malformed ones say nothing, since they are a courtesy. */
export function decodeStatusDetails(base64: string | undefined): HostErrorOptions {
  if (base64 === undefined) return {};
  try {
    const { details } = fromBinary(StatusSchema, Buffer.from(base64, "base64"));
    const info = details.map((any) => anyUnpack(any, ErrorInfoSchema)).find((found) => found !== undefined);
    const delay = details
      .map((any) => anyUnpack(any, RetryInfoSchema))
      .find((found) => found !== undefined)?.retryDelay;
    return {
      ...(info === undefined ? {} : { info: { reason: info.reason, metadata: info.metadata } }),
      ...(delay === undefined ? {} : { retryAfterMs: Number(delay.seconds) * 1000 + delay.nanos / 1e6 }),
    };
  } catch {
    return {};
  }
}
