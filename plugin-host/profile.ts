import { HostError } from "#proto/wire/errors.ts";
import type { ProfileRequest } from "#proto/gen/bulkhead/plugin/v1/plugin_pb.ts";

/** Longest CPU profile. */
const maxSeconds = 300;

/**
 * A profile of this process: `cpu` (.cpuprofile JSON over `seconds`), `heap` (.heapsnapshot) or `stacks` (a
 * diagnostic report). Throws invalid-argument for another kind.
 */
export async function* takeProfile(
  request: Pick<ProfileRequest, "kind" | "seconds">,
  signal: AbortSignal,
): AsyncGenerator<{ data: Uint8Array }> {
  switch (request.kind) {
    case "cpu":
      yield { data: await profileCpu(Math.min(Math.max(request.seconds, 1), maxSeconds), signal) };
      return;
    case "heap": {
      const { getHeapSnapshot } = await import("node:v8");
      for await (const chunk of getHeapSnapshot()) yield { data: Buffer.from(chunk as Buffer) };
      return;
    }
    case "stacks": {
      // Without the environment, which may hold secrets, and without asking name servers; the second is younger than
      // its types.
      const report = Object.assign(process.report, { excludeEnv: true, excludeNetwork: true });
      yield { data: Buffer.from(JSON.stringify(report.getReport(), undefined, 2)) };
      return;
    }
    default:
      throw new HostError("invalid-argument", `no profile of kind "${request.kind}": ask for cpu, heap or stacks`);
  }
}

async function profileCpu(seconds: number, signal: AbortSignal): Promise<Uint8Array> {
  const { Session } = await import("node:inspector/promises");
  const session = new Session();
  session.connect();
  try {
    await session.post("Profiler.enable");
    await session.post("Profiler.start");
    const { setTimeout: delay } = await import("node:timers/promises");
    await delay(seconds * 1000, undefined, { signal });
    const { profile } = await session.post("Profiler.stop");
    return Buffer.from(JSON.stringify(profile));
  } finally {
    session.disconnect();
  }
}
