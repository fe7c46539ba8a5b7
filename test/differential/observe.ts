import { Events } from "#proto/gen/containerd/services/events/v1/events_pb.ts";
import { clientOf } from "#rpc";
import { Child } from "../harness/child.ts";
import { within } from "../harness/deadline.ts";
import { containerdProgram } from "../harness/peers.ts";
import { plain, type Outcome } from "./outcome.ts";
import { fill, type Step, type Target } from "./steps.ts";

/** Topics of our own marks, which tell that a subscription stands and where it ends. */
const readyTopic = "/observer/ready";
const endTopic = "/observer/end";
const observeMs = 20_000;

/** Subscribes with filters, runs steps, and gives their outcomes with the events that came. */
export function observe(filters: readonly string[], steps: readonly Step[]): Step {
  return {
    title: `subscribe ${JSON.stringify(filters)} while: ${steps
      .map((step) => step.title)
      .join("; ")
      .slice(0, 120)}`,
    run: async (target) => {
      const stop = new AbortController();
      const wanted = filters.length === 0 || filters.includes("") ? [...filters] : [...filters, "topic~=^/observer/"];
      const stream = clientOf(Events, target.channel).subscribe(
        { filters: wanted.map((filter) => fill(filter, target)) },
        { signal: stop.signal },
      );
      const seen: Outcome[] = [];
      const stands = Promise.withResolvers<void>();
      const ended = (async () => {
        for await (const envelope of stream) {
          if (envelope.topic === readyTopic) stands.resolve();
          else if (envelope.topic === endTopic) return;
          else seen.push(plain(envelope));
        }
      })();
      ended.catch(stands.reject);
      await within("the subscription stands", announce(target, stands.promise), observeMs);
      const outcomes: Outcome[] = [];
      for (const step of steps) outcomes.push(await step.run(target));
      await mark(target, endTopic);
      await within("the last event", ended, observeMs);
      stop.abort();
      return { outcomes, seen };
    },
  };
}

/** The same with `ctr events`, as the lines it prints; `last` is waited for, where an event comes later than the steps. */
export function printed(filters: readonly string[], steps: readonly Step[], last?: RegExp): Step {
  return {
    title: `ctr events ${filters.join(" ")}`,
    run: async (target) => {
      const wanted = filters.length === 0 ? [] : [...filters.map((each) => fill(each, target)), "topic~=^/observer/"];
      await using child = new Child(containerdProgram("ctr"), [
        "--address",
        target.daemon.address,
        "events",
        ...wanted,
      ]);
      await within("ctr listens", announce(target, child.output.waitFor(/\/observer\/ready/)), observeMs);
      for (const step of steps) await step.run(target);
      if (last !== undefined) await child.output.waitFor(last);
      await mark(target, endTopic);
      await child.output.waitFor(/\/observer\/end/);
      return child.output.lines.filter((line) => !line.includes("/observer/"));
    },
  };
}

/** Publishes marks, one after the other was answered, until one is seen. */
async function announce(target: Target, seen: Promise<unknown>): Promise<void> {
  let standing = false;
  const done = seen.then(() => {
    standing = true;
  });
  while (!standing) await Promise.race([done, mark(target, readyTopic)]);
  await done;
}

async function mark(target: Target, topic: string): Promise<void> {
  const event = { typeUrl: "containerd.events.TaskOOM", value: new Uint8Array() };
  const options = { metadata: { "containerd-namespace": "observer" } };
  await clientOf(Events, target.channel).publish({ topic, event }, options);
}
