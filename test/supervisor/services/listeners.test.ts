import assert from "node:assert/strict";
import { stat, writeFile } from "node:fs/promises";
import { get } from "node:http";
import { test } from "node:test";
import { Plugin } from "#proto/gen/bulkhead/plugin/v1/plugin_pb.ts";
import { implement, serve } from "#rpc";
import { openDebugListener } from "../../../supervisor/services/debug-listener.ts";
import { PackageChannels } from "../../../supervisor/services/index.ts";
import { openMetricsListener, type MetricsSources } from "../../../supervisor/services/metrics-listener.ts";
import { within } from "../../harness/deadline.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { declaration, packageView, plugin, SampleSupervision } from "./sample-supervision.ts";

interface Page {
  readonly status: number | undefined;
  readonly type: string | undefined;
  readonly text: string;
}

/** GETs a path from a unix socket or host:port. */
function fetchPage(address: string, path: string): Promise<Page> {
  const { promise, resolve, reject } = Promise.withResolvers<Page>();
  const where = address.startsWith("/")
    ? { socketPath: address, path }
    : { host: address.split(":")[0], port: address.split(":")[1], path };
  get({ ...where, agent: false }, (response) => {
    const chunks: Buffer[] = [];
    response.on("data", (chunk: Buffer) => chunks.push(chunk));
    response.on("end", () => {
      const text = Buffer.concat(chunks).toString();
      resolve({ status: response.statusCode, type: response.headers["content-type"], text });
    });
  }).on("error", reject);
  return within(`GET ${path}`, promise);
}

const facts = { version: "1.2.3", revision: "abc", root: "/r", state: "/s", pid: process.pid };
const thing = declaration("acme.thing.v1", "one");

const noCalls: Pick<MetricsSources, "counters" | "processes"> = {
  counters: () => Promise.resolve(undefined),
  processes: () => [],
};

test("metrics show process, states, calls by code and packages' own text on both paths", async () => {
  await using folder = await makeTempFolder();
  using channels = new PackageChannels();
  const socket = folder.join("acme.sock");
  let text = "# TYPE acme_things gauge\nacme_things 7\n";
  let hang = false;
  const metrics = () => (hang ? new Promise<never>(() => {}) : { text: Buffer.from(text) });
  await using server = serve({ services: [implement(Plugin, { metrics })] });
  await server.listen(socket);
  const silent = folder.join("silent.sock");
  await using silentServer = serve({ services: [] });
  await silentServer.listen(silent);
  const supervision = new SampleSupervision(
    packageView("acme", [plugin(thing)], { socket, pid: process.pid, restarts: 2 }),
    packageView("silent", [], {
      socket: silent,
      pid: 0,
      lastExit: { code: -1, signal: "SIGKILL", oomKilled: true, atMs: 1_700_000_000_500 },
      nextAttemptMs: 1_700_000_060_000,
    }),
  );
  const call = {
    package: "acme",
    method: "/acme.v1.Thing/Do",
    started: 4,
    open: 1,
    parked: 1,
    requestBytes: 300,
    answerBytes: 2000,
    totalMs: 1500,
    // One within 1 ms, one within 2.5 ms, one longer than all.
    tookBuckets: [0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
  };
  const counters: MetricsSources["counters"] = async () => ({
    methods: [
      { ...call, handled: { 0: 2, 14: 1 } },
      { ...call, method: "/containerd.services.content.v1.Content/List", handled: { 0: 1 } },
    ],
    openCalls: 1,
    parkedCalls: 4,
    connections: 5,
  });
  const sources = {
    supervision,
    facts,
    channels,
    counters,
    processes: () => [{ package: "router", pid: process.pid }],
    grpcHistogram: true,
  };
  await using listener = await openMetricsListener("127.0.0.1:0", sources);
  const page = await fetchPage(listener.address, "/v1/metrics");
  assert.equal(page.type, "text/plain; version=0.0.4; charset=utf-8");
  const wanted = [
    'containerd_build_info_total{revision="abc",version="1.2.3"} 1',
    'grpc_server_handled_total{grpc_code="OK",grpc_method="Do",grpc_service="acme.v1.Thing",grpc_type="bidi_stream"} 2',
    'grpc_server_handled_total{grpc_code="Unavailable",grpc_method="Do",grpc_service="acme.v1.Thing",grpc_type="bidi_stream"} 1',
    'grpc_server_started_total{grpc_method="Do",grpc_service="acme.v1.Thing",grpc_type="bidi_stream"} 4',
    'grpc_server_started_total{grpc_method="List",grpc_service="containerd.services.content.v1.Content",grpc_type="server_stream"} 4',
    'grpc_server_handling_seconds_sum{grpc_method="Do",grpc_service="acme.v1.Thing",grpc_type="bidi_stream"} 1.5',
    'bulkhead_method_open_calls{package="acme",grpc_method="Do",grpc_service="acme.v1.Thing",grpc_type="bidi_stream"} 1',
    'bulkhead_method_parked_calls{package="acme",grpc_method="Do",grpc_service="acme.v1.Thing",grpc_type="bidi_stream"} 1',
    'bulkhead_method_request_bytes_total{package="acme",grpc_method="Do",grpc_service="acme.v1.Thing",grpc_type="bidi_stream"} 300',
    'bulkhead_method_response_bytes_total{package="acme",grpc_method="Do",grpc_service="acme.v1.Thing",grpc_type="bidi_stream"} 2000',
    'grpc_server_handling_seconds_bucket{grpc_method="Do",grpc_service="acme.v1.Thing",grpc_type="bidi_stream",le="0.0005"} 0',
    'grpc_server_handling_seconds_bucket{grpc_method="Do",grpc_service="acme.v1.Thing",grpc_type="bidi_stream",le="0.001"} 1',
    'grpc_server_handling_seconds_bucket{grpc_method="Do",grpc_service="acme.v1.Thing",grpc_type="bidi_stream",le="10"} 2',
    'grpc_server_handling_seconds_bucket{grpc_method="Do",grpc_service="acme.v1.Thing",grpc_type="bidi_stream",le="+Inf"} 3',
    "bulkhead_parked_calls 4",
    'bulkhead_plugin_state{type="acme.thing.v1",id="one",package="acme",state="ready"} 1',
    'bulkhead_package_restarts_total{package="acme"} 2',
    'bulkhead_package_last_exit_code{package="silent",signal="SIGKILL",oom="true"} -1',
    'bulkhead_package_last_exit_time_seconds{package="silent"} 1700000000.5',
    'bulkhead_package_next_attempt_seconds{package="silent"} 1700000060',
    'bulkhead_package_metrics_stale{package="acme"} 0',
    'bulkhead_package_metrics_stale{package="silent"} 0',
    "acme_things 7",
  ];
  const lines = page.text.split("\n");
  for (const line of wanted) assert.ok(lines.includes(line), `${line} is missing in\n${page.text}`);
  assert.match(page.text, /^process_resident_memory_bytes \d+$/m);
  assert.match(page.text, /^process_open_fds \d+$/m);
  assert.match(page.text, /^bulkhead_process_resident_memory_bytes\{package="router"\} \d+$/m);
  text = "acme_things 8\n";
  hang = true;
  const stale = (await fetchPage(listener.address, "/metrics")).text.split("\n");
  assert.ok(stale.includes('bulkhead_package_metrics_stale{package="acme"} 1'));
  assert.ok(stale.includes("acme_things 7"), "the last text is shown");
  assert.equal((await fetchPage(listener.address, "/")).status, 404);
});

test("an address that is none is refused with what it should look like", async () => {
  using channels = new PackageChannels();
  const sources = { supervision: new SampleSupervision(), facts, channels, ...noCalls };
  await assert.rejects(openMetricsListener("nonsense", sources), { kind: "invalid-argument" });
  await assert.rejects(openMetricsListener("127.0.0.1:99999", sources), { kind: "invalid-argument" });
});

test("the debug socket replaces a stale file, has mode 0660, and goes at the end", async () => {
  await using folder = await makeTempFolder();
  using channels = new PackageChannels();
  const address = folder.join("new", "debug.sock");
  const sources = { supervision: new SampleSupervision(), facts, channels };
  const where = { address, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  await (await openDebugListener(where, sources))[Symbol.asyncDispose]();
  await assert.rejects(stat(address), { code: "ENOENT" });
  await writeFile(address, "stale");
  await using _listener = await openDebugListener(where, sources);
  assert.equal((await stat(address)).mode & 0o777, 0o660);
});

test("debug paths are containerd's, and any other is 404", async () => {
  await using folder = await makeTempFolder();
  using channels = new PackageChannels();
  const address = folder.join("debug.sock");
  const socket = folder.join("acme.sock");
  const profile = async function* ({ kind, seconds }: { kind: string; seconds: number }) {
    yield { data: Buffer.from(`${kind} `) };
    yield { data: Buffer.from(String(seconds)) };
  };
  await using server = serve({ services: [implement(Plugin, { profile })] });
  await server.listen(socket);
  const supervision = new SampleSupervision(
    packageView("acme", [plugin(thing)], { socket, pid: process.pid }),
    packageView("proxy", [], { tier: "proxy" }),
  );
  await using _listener = await openDebugListener({ address, uid: 0, gid: 0 }, { supervision, facts, channels });
  const page = (path: string) => fetchPage(address, path);
  const vars = JSON.parse((await page("/debug/vars")).text) as {
    cmdline: string[];
    packages: { acme: { pid: number } };
  };
  assert.deepEqual(vars.cmdline, process.argv);
  assert.equal(vars.packages.acme.pid, process.pid);
  assert.match((await page("/debug/pprof/")).text, /profile/);
  assert.ok((await page("/debug/pprof/cmdline")).text.includes(process.argv[1] ?? "?"));
  assert.ok((await page("/debug/pprof/cmdline?package=acme")).text.includes("node"));
  assert.equal((await page("/debug/pprof/symbol")).text, "num_symbols: 0\n");
  const cpu = JSON.parse((await page("/debug/pprof/profile?seconds=0")).text) as { nodes: unknown[] };
  assert.ok(cpu.nodes.length > 0);
  const heap = JSON.parse((await page("/debug/pprof/heap?seconds=0")).text) as { head: unknown };
  assert.ok(heap.head);
  const trace = JSON.parse((await page("/debug/pprof/trace?seconds=0")).text) as { traceEvents: unknown[] };
  assert.ok(Array.isArray(trace.traceEvents));
  const stacks = JSON.parse((await page("/debug/pprof/goroutine?debug=2")).text) as Record<string, unknown>;
  assert.ok(stacks["javascriptStack"]);
  assert.equal(stacks["environmentVariables"], undefined);
  assert.equal((await page("/debug/pprof/profile?package=acme&seconds=3")).text, "cpu 3");
  assert.equal((await page("/debug/pprof/profile?package=proxy")).status, 501);
  assert.equal((await page("/debug/pprof/profile?package=nope")).status, 404);
  assert.equal((await page("/debug/pprof/profile?seconds=1e9")).status, 400);
  for (const path of ["/", "/debug", "/debug/pprof", "/debug/pprof/nope"]) assert.equal((await page(path)).status, 404);
});
