import { Events } from "#proto/gen/containerd/services/events/v1/events_pb.ts";
import { clientOf } from "#rpc";
import { withDaemon } from "./daemon-channel.ts";
import { eventJson, eventLine } from "./event-text.ts";
import type { GlobalFlags } from "./globals.ts";
import { print } from "./terminal.ts";

/** `bulkhead events [FILTER...]`: every namespace's events from now on, until interrupted. */
export async function followEvents(
  globals: GlobalFlags,
  filters: readonly string[],
  options: { readonly json?: true },
): Promise<void> {
  await withDaemon("main", globals, "follow events", async (channel) => {
    for await (const envelope of clientOf(Events, channel).subscribe({ filters: [...filters] })) {
      await print(options.json ? `${JSON.stringify(eventJson(envelope))}\n` : eventLine(envelope));
    }
  });
}
