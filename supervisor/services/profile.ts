import { Session, type Profiler, type HeapProfiler } from "node:inspector/promises";
import { HostError } from "#proto/wire/errors.ts";

/** What can be taken of a process; names as in bulkhead.plugin.v1 Profile, and Node's trace events. */
export type ProfileKind = "cpu" | "heap" | "stacks" | "trace";

/** Bytes of trace events kept; what comes after is dropped. */
const traceLimitBytes = 64 * 1024 * 1024;

let running: ProfileKind | undefined;

/**
 * Takes a profile of this process: cpu is a `.cpuprofile`, heap a `.heapprofile` of what was allocated meanwhile,
 * trace Chrome's trace events, stacks Node's diagnostic report; all JSON.
 * `seconds`: how long to look. Ends early, with what there is, when `signal` aborts.
 * Throws resource-exhausted while another profile is taken.
 */
export async function takeProfile(kind: ProfileKind, seconds: number, signal: AbortSignal): Promise<string> {
  if (kind === "stacks") return reportStacks();
  if (running !== undefined) {
    throw new HostError(
      "resource-exhausted",
      `take a ${kind} profile: a ${running} profile is being taken, wait for it`,
    );
  }
  running = kind;
  const session = new Session();
  session.connect();
  try {
    switch (kind) {
      case "cpu":
        return JSON.stringify(await profileCpu(session, seconds, signal));
      case "heap":
        return JSON.stringify(await profileHeap(session, seconds, signal));
      case "trace":
        return await traceEvents(session, seconds, signal);
    }
  } finally {
    session.disconnect();
    running = undefined;
  }
}

/** Without the environment, which may hold secrets, and without asking name servers who the peers of sockets are. */
function reportStacks(): string {
  // The second is younger than its types.
  const report = Object.assign(process.report, { excludeEnv: true, excludeNetwork: true });
  return JSON.stringify(report.getReport());
}

async function profileCpu(session: Session, seconds: number, signal: AbortSignal): Promise<Profiler.Profile> {
  await session.post("Profiler.enable");
  await session.post("Profiler.start");
  await elapse(seconds, signal);
  return (await session.post("Profiler.stop")).profile;
}

async function profileHeap(
  session: Session,
  seconds: number,
  signal: AbortSignal,
): Promise<HeapProfiler.SamplingHeapProfile> {
  await session.post("HeapProfiler.enable");
  await session.post("HeapProfiler.startSampling");
  await elapse(seconds, signal);
  return (await session.post("HeapProfiler.stopSampling")).profile;
}

async function traceEvents(session: Session, seconds: number, signal: AbortSignal): Promise<string> {
  const events: string[] = [];
  let bytes = 0;
  session.on("NodeTracing.dataCollected", ({ params }) => {
    for (const event of params.value) {
      const text = JSON.stringify(event);
      bytes += text.length;
      if (bytes <= traceLimitBytes) events.push(text);
    }
  });
  const complete = new Promise<void>((resolve) => session.once("NodeTracing.tracingComplete", () => resolve()));
  await session.post("NodeTracing.start", { traceConfig: { includedCategories: ["node", "v8"] } });
  await elapse(seconds, signal);
  await session.post("NodeTracing.stop");
  await complete;
  return `{"traceEvents":[${events.join(",")}]}`;
}

function elapse(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, seconds * 1000);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    if (signal.aborted) done();
    else signal.addEventListener("abort", done, { once: true });
  });
}
