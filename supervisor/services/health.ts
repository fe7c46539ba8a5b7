import { HostError } from "#proto/wire/errors.ts";
import { Health, HealthCheckResponse_ServingStatus as Status } from "#proto/gen/grpc/health/v1/health_pb.ts";
import { implement, type Service } from "#rpc";
import type { Supervision } from "../status.ts";
import { servingState } from "./health-states.ts";
import { Wakeup } from "./wakeup.ts";

/**
 * grpc.health.v1. Check answers NOT_FOUND for unknown names and Watch SERVICE_UNKNOWN, as grpc-go's server in
 * containerd does.
 */
export function healthService(supervision: Supervision): Service {
  const statusOf = (name: string): Status => {
    const serving = servingState(supervision, name);
    if (serving === undefined) return Status.SERVICE_UNKNOWN;
    return serving ? Status.SERVING : Status.NOT_SERVING;
  };
  return implement(Health, {
    check({ service }) {
      const status = statusOf(service);
      if (status === Status.SERVICE_UNKNOWN) throw new HostError("not-found", "unknown service");
      return { status };
    },
    async *watch({ service }, { signal }) {
      const changed = new Wakeup();
      const unwatch = supervision.watch(changed.wake);
      try {
        for (let last: Status | undefined; !signal.aborted; await changed.wait(signal)) {
          const status = statusOf(service);
          if (status !== last) yield { status };
          last = status;
        }
      } finally {
        unwatch();
      }
    },
  });
}
