import type { MessageInitShape } from "@bufbuild/protobuf";
import { HostError } from "#proto/wire/errors.ts";
import { metadataKeys } from "#proto/wire/metadata-keys.ts";
import {
  Host,
  type HelloRequest,
  type HelloResponseSchema,
  type ReportRequest,
  type WatchPeersResponseSchema,
} from "#proto/gen/bulkhead/host/v1/host_pb.ts";
import { implement, type CallContext, type Service } from "#rpc";

/** What the host knows for its packages; answers are for the running instance of that package. */
export interface HostDirectory {
  hello(packageName: string, request: HelloRequest): Promise<MessageInitShape<typeof HelloResponseSchema>>;
  /** The full set first, then the full set at each change, until `signal` aborts. */
  watchPeers(
    packageName: string,
    signal: AbortSignal,
  ): AsyncIterable<MessageInitShape<typeof WatchPeersResponseSchema>>;
  /** Throws not-found when the package has no such plugin. */
  report(packageName: string, request: ReportRequest): Promise<void> | void;
}

/** Bytes of a Report's free text. */
const reportTextLimitBytes = 1024;

/** bulkhead.host.v1: the caller is who the router says it is, by the host socket the call came in on. */
export function hostService(directory: HostDirectory): Service {
  return implement(Host, {
    hello: (request, context) => directory.hello(callerOf(context), request),
    watchPeers: (_, context) => directory.watchPeers(callerOf(context), context.signal),
    async report(request, context) {
      const caller = callerOf(context);
      if (Buffer.byteLength(request.status) > reportTextLimitBytes) {
        const text = `report of ${caller}: status is over ${reportTextLimitBytes} bytes; shorten it`;
        throw new HostError("invalid-argument", text);
      }
      await directory.report(caller, request);
      return {};
    },
  });
}

function callerOf({ metadata, method }: CallContext): string {
  const caller = metadata[metadataKeys.caller] ?? "";
  if (caller === "" || caller.includes(":")) {
    throw new HostError("permission-denied", `${method} is for packages: call it on $BULKHEAD_HOST`);
  }
  return caller;
}
