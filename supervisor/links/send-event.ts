import type { Any } from "@bufbuild/protobuf/wkt";
import { PackageExitSchema, PackageLimitSchema, PackageStateSchema } from "#proto/gen/bulkhead/events/v1/plugin_pb.ts";
import { Events } from "#proto/gen/containerd/services/events/v1/events_pb.ts";
import { packAny } from "#proto/wire/any.ts";
import { timestampFromNanos } from "#proto/wire/timestamp.ts";
import { clientOf, type Channel } from "#rpc";
import type { PackageEvent } from "./package-event.ts";

/** containerd wants a namespace of every event; these belong to none of a user's. */
const namespace = "bulkhead";

/** Forwards one, so that it keeps its time. Rejects when the package does not take it in time. */
export async function sendEvent(channel: Channel, event: PackageEvent, deadlineMs: number): Promise<void> {
  const envelope = {
    timestamp: timestampOf(event.atMs),
    namespace,
    topic: `/bulkhead/plugin/${event.type}`,
    event: payloadOf(event),
  };
  await clientOf(Events, channel).forward({ envelope }, { deadlineMs });
}

function payloadOf(event: PackageEvent): Any {
  switch (event.type) {
    case "state": {
      const { generation, pid, restarts, nextAttemptMs, ...fields } = event.fields;
      return packAny(PackageStateSchema, {
        ...fields,
        generation: BigInt(generation),
        pid: BigInt(pid),
        restarts: BigInt(restarts),
        ...(nextAttemptMs === undefined ? {} : { nextAttempt: timestampOf(nextAttemptMs) }),
      });
    }
    case "exit": {
      const { generation, pid, ...fields } = event.fields;
      return packAny(PackageExitSchema, { ...fields, generation: BigInt(generation), pid: BigInt(pid) });
    }
    case "limit": {
      const { generation, times, ...fields } = event.fields;
      return packAny(PackageLimitSchema, { ...fields, generation: BigInt(generation), times: BigInt(times) });
    }
  }
}

function timestampOf(ms: number) {
  return timestampFromNanos(BigInt(Math.round(ms)) * 1_000_000n);
}
