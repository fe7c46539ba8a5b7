import { Events } from "#proto/gen/containerd/services/events/v1/events_pb.ts";
import { clientOf, connect, type Channel } from "#rpc";
import type { BulkheadDaemon } from "../bulkhead-daemon.ts";
import { within } from "../deadline.ts";
import { statusOf } from "../plugin-status.ts";

const recoveryLimitMs = 30_000;

/** Kills the shipped package `events`, a TypeScript one, again and again; from each kill to the next answer, milliseconds. */
export async function stormTypescript(daemon: BulkheadDaemon, kills: number): Promise<readonly number[]> {
  using channel = connect(daemon.address);
  const recoveries: number[] = [];
  for (let kill = 0; kill < kills; kill++) {
    await publish(channel);
    const { pid } = await statusOf(daemon, "events");
    const killedMs = performance.now();
    process.kill(Number(pid), "SIGKILL");
    await within("the next answer", untilPublished(channel), recoveryLimitMs);
    recoveries.push(performance.now() - killedMs);
  }
  return recoveries;
}

/** A call that is handed to the dying process fails; the one after it waits for the next. */
async function untilPublished(channel: Channel): Promise<void> {
  for (;;) {
    try {
      return await publish(channel);
    } catch {
      // asked again
    }
  }
}

async function publish(channel: Channel): Promise<void> {
  const metadata = { "containerd-namespace": "storm" };
  await clientOf(Events, channel).publish(
    { topic: "/storm/kill", event: { typeUrl: "storm.Kill", value: new Uint8Array() } },
    { metadata },
  );
}
