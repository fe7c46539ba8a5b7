import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultLimits } from "../../../supervisor/router/limits.ts";
import type { PackageRow, RouteTable } from "../../../supervisor/router/route-table.ts";
import { RouterCore } from "../../../supervisor/router/router-core.ts";
import { TurnFlusher } from "../../../supervisor/router/turn-flusher.ts";
import { Chance } from "../../simulation/machine/chance.ts";
import { Endpoint } from "../../simulation/machine/network.ts";
import { Life, Timeline } from "../../simulation/machine/timeline.ts";

const row: PackageRow = {
  generation: 1,
  socket: "/p.sock",
  state: "open",
  reason: "",
  lifecycle: "ready",
  parking: { policy: "refuse", calls: 10, bytes: 1000, timeMs: 1000 },
  methods: {},
  calls: {},
  redirects: [],
  serves: [],
};
const table: RouteTable = {
  epoch: 1,
  seq: 1,
  booting: false,
  bootWaitMs: 0,
  packages: { p: row },
  routes: {},
  choices: {},
  hostServices: {},
  limits: { maxRecvMessageBytes: 1024, maxSendMessageBytes: 1024 },
};

test("a package whose calls are refused while it is away is taken back without a call that finds out", async () => {
  const timeline = new Timeline();
  const router = new Life(timeline);
  let listens = false;
  const core = new RouterCore(
    {
      clock: router,
      now: () => router.monotonic(),
      flusher: new TurnFlusher((run) => void router.setTimer(run, 0)),
      connect: (_socket, connected, failed) =>
        void router.setTimer(() => {
          if (!listens) return failed("ECONNREFUSED");
          const [near, far] = Endpoint.pair(router, new Life(timeline), new Chance(1));
          far.start({ onBytes: () => {}, onWritable: () => {}, onEnd: () => {}, onClosed: () => {} });
          connected(near);
        }, 1),
    },
    { send: () => {}, keep: () => {} },
    defaultLimits,
  );
  core.onControl({ type: "table", table }, () => {});
  const ask = async (): Promise<string> => {
    let answer = "waits";
    core.routes.targets.get("p")?.submit({
      deadlineMs: undefined,
      keptBytes: 0,
      onOverdue: () => {},
      forward: () => (answer = "forwarded"),
      refuse: () => (answer = "refused"),
    });
    const untilMs = timeline.nowMs + 10;
    while (await timeline.step(untilMs));
    return answer;
  };
  assert.equal(await ask(), "refused");
  assert.equal(await ask(), "refused");
  listens = true;
  while (await timeline.step(2000));
  assert.equal(await ask(), "forwarded");
  router.end();
});
