/**
 * `npm run bench -- NAME`: measures this checkout against the stock daemon (the router against HAProxy and nginx), in
 * alternation in one run; prints a table and writes `.cache/bench/<name>.json`. On a busy machine compare the ratios, not
 * the figures.
 */
import { parseArgs } from "node:util";
import { preparePeers } from "./peers.ts";
import { measureBoot } from "./bench/boot.ts";
import { measureCalls } from "./bench/calls.ts";
import { measureContent } from "./bench/content.ts";
import { measureFleet } from "./bench/fleet.ts";
import { measureGc } from "./bench/gc.ts";
import { measurePull } from "./bench/pull.ts";
import { publish, type Report } from "./bench/report.ts";
import { soakRouter } from "./bench/router-soak.ts";
import { measureRouter } from "./bench/router.ts";
import { measureRun } from "./bench/run.ts";
import { measureSnapshots } from "./bench/snapshots.ts";
import { measureUnpack } from "./bench/unpack.ts";

const usage = `usage: npm run bench -- boot|content|calls|fleet|gc|pull|router|run|snapshots|unpack [options]

  --json           print JSON instead of tables
  content, gc, pull, router, run, snapshots, unpack:
  --rounds N       rounds (default 3)
  content:
  --mebibytes N    size of the blob (default 1024)
  gc:
  --images N       images of ten layers (default 1000)
  router:
  --seconds N      seconds of one load on one proxy in one round (default 1)
  --only TEXT      only loads whose name contains it: "32 B unary", "1 x 64"
  --minutes N      instead: the router alone under every load for so long, and what its memory does

examples:
  npm run bench -- router --only "32 B unary" --rounds 9
  npm run bench -- router --minutes 10
  npm run bench -- content --mebibytes 256
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    help: { type: "boolean", short: "h", default: false },
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "1" },
    only: { type: "string", default: "" },
    minutes: { type: "string", default: "0" },
    mebibytes: { type: "string", default: "1024" },
    images: { type: "string", default: "1000" },
  },
});
const numbers = {
  rounds: Number(values.rounds),
  seconds: Number(values.seconds),
  minutes: Number(values.minutes),
  mebibytes: Number(values.mebibytes),
  images: Number(values.images),
};

interface Benchmark {
  readonly needs: readonly string[];
  readonly measure: () => Promise<Report>;
}

const benchmarks: Readonly<Record<string, Benchmark>> = {
  boot: { needs: ["containerd", "go-load"], measure: async () => ({ rows: await measureBoot() }) },
  content: { needs: ["containerd", "go-load"], measure: async () => ({ rows: await measureContent(numbers) }) },
  calls: { needs: ["containerd", "go-load"], measure: async () => ({ rows: await measureCalls() }) },
  fleet: { needs: ["go-echo"], measure: async () => ({ rows: await measureFleet() }) },
  gc: { needs: ["containerd", "go-load"], measure: () => measureGc(numbers) },
  run: { needs: ["containerd", "runc", "busybox"], measure: () => measureRun(numbers) },
  pull: { needs: ["containerd", "pigz", "docker-registry"], measure: () => measurePull(numbers) },
  snapshots: { needs: ["containerd", "go-load"], measure: () => measureSnapshots(numbers) },
  unpack: { needs: ["containerd", "pigz"], measure: () => measureUnpack(numbers) },
  router: {
    needs: ["haproxy", "nginx", "go-hop"],
    measure: () =>
      numbers.minutes > 0 ? soakRouter(numbers.minutes) : measureRouter({ ...numbers, only: values.only }),
  },
};

const name = positionals[0] ?? "";
const benchmark = benchmarks[name];
if (values.help) {
  console.log(usage);
  process.exit(0);
}
const { rounds, seconds, minutes, mebibytes, images } = numbers;
const areCounts = [mebibytes, images].every((count) => Number.isInteger(count) && count > 0);
if (benchmark === undefined || !(rounds >= 1 && seconds > 0 && minutes >= 0 && areCounts)) {
  console.error(usage);
  process.exit(64);
}
const peers = await preparePeers((text) => console.error(text));
for (const needed of benchmark.needs) {
  if (peers[needed] !== null) {
    console.error(`bench: ${needed} is absent: ${peers[needed]}`);
    process.exit(1);
  }
}
await publish(name, await benchmark.measure(), values.json);
