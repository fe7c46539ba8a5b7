import { readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { HostError } from "#proto/wire/errors.ts";
import type { Supervision } from "../status.ts";
import { controlPackage } from "./built-in-plugins.ts";
import type { HostFacts } from "./facts.ts";
import { HttpListener, respondText, type HttpHandler } from "./http-listener.ts";
import type { PackageChannels } from "./package-channels.ts";
import { profilePackage } from "./package-profile.ts";
import type { ProfileKind } from "./profile.ts";

export interface DebugSources {
  readonly supervision: Supervision;
  readonly facts: HostFacts;
  readonly channels: PackageChannels;
}

export interface DebugAddress {
  /** Absolute path of a unix socket, else host:port. */
  readonly address: string;
  readonly uid: number;
  readonly gid: number;
}

/** Length of a profile in seconds: when the request names none, and at most. */
const defaultSeconds = { cpu: 30, heap: 5, trace: 1, stacks: 0 } as const;
const maxSeconds = 300;

/**
 * Opens the listener of `debug.address`: containerd's paths (/debug/vars, /debug/pprof/…) with what Node has.
 * `?package=NAME` picks a package's process, else it is control's. The caller disposes it.
 */
export function openDebugListener(where: DebugAddress, sources: DebugSources): Promise<HttpListener> {
  const routes = new Map<string, HttpHandler>([
    ["/debug/vars", (_, response) => respondJson(response, debugVars(sources))],
    ["/debug/pprof/", (_, response) => respondText(response, 200, indexPage, "text/html; charset=utf-8")],
    ["/debug/pprof/cmdline", (url, response) => respondText(response, 200, commandLine(sources, url))],
    // Go's tools ask here whether addresses can be named; our profiles carry names.
    ["/debug/pprof/symbol", (_, response) => respondText(response, 200, "num_symbols: 0\n")],
    ["/debug/pprof/profile", profiler(sources, "cpu")],
    ["/debug/pprof/heap", profiler(sources, "heap")],
    ["/debug/pprof/trace", profiler(sources, "trace")],
    ["/debug/pprof/stacks", profiler(sources, "stacks")],
    ["/debug/pprof/goroutine", profiler(sources, "stacks")], // the name `ctr pprof goroutines` asks for
  ]);
  return HttpListener.open({ ...where, routes });
}

const indexPage = `<html><head><title>/debug/pprof/</title></head><body>
<h1>/debug/pprof/</h1>
<p>All files are JSON. ?package=NAME picks a native package's process, ?seconds=N the length.</p>
<ul>
<li><a href="cmdline">cmdline</a>: the command line, its words ended by NUL</li>
<li><a href="profile">profile</a>: CPU profile (.cpuprofile; open it in Chrome's DevTools), 30 s</li>
<li><a href="heap">heap</a>: what was allocated meanwhile and is still held (.heapprofile), 5 s</li>
<li><a href="trace">trace</a>: trace events of Node and V8 (open them in Perfetto), 1 s</li>
<li><a href="stacks">stacks</a>: Node's diagnostic report: stacks, handles, limits</li>
</ul>
</body></html>
`;

function profiler(sources: DebugSources, kind: ProfileKind): HttpHandler {
  return async (url, response, signal) => {
    const request = { kind, seconds: secondsOf(url, kind) };
    const name = packageOf(url);
    if (name === controlPackage) {
      const { takeProfile } = await import("./profile.ts");
      respondText(response, 200, await takeProfile(kind, request.seconds, signal), "application/json");
      return;
    }
    // The head waits for the first bytes, so that a refusal can still be an error page.
    for await (const data of profilePackage(sources, name, request, signal)) {
      if (!response.headersSent) response.writeHead(200, { "content-type": "application/json" });
      if (!response.write(data)) await drained(response, signal);
    }
    response.end();
  };
}

function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    response.once("drain", resolve);
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function packageOf(url: URL): string {
  return url.searchParams.get("package") ?? controlPackage;
}

function secondsOf(url: URL, kind: ProfileKind): number {
  const text = url.searchParams.get("seconds");
  if (text === null) return defaultSeconds[kind];
  const seconds = Number(text);
  if (text !== "" && Number.isInteger(seconds) && seconds >= 0 && seconds <= maxSeconds) return seconds;
  throw new HostError("invalid-argument", `seconds=${text}: give a whole number up to ${maxSeconds}`);
}

function commandLine({ supervision }: DebugSources, url: URL): string {
  const name = packageOf(url);
  if (name === controlPackage) return [...process.execArgv, ...process.argv].join("\0");
  const pid = supervision.package(name)?.pid ?? 0;
  if (pid === 0) throw new HostError("not-found", `package ${name} has no running process`);
  return readFileSync(`/proc/${pid}/cmdline`, "utf8");
}

function debugVars({ supervision, facts }: DebugSources): Record<string, unknown> {
  return {
    cmdline: process.argv,
    memstats: process.memoryUsage(),
    uptimeSeconds: process.uptime(),
    versions: { bulkhead: facts.version, revision: facts.revision, node: process.version },
    packages: Object.fromEntries(
      supervision
        .packages()
        .map(({ name, state, pid, generation, restarts }) => [name, { state, pid, generation, restarts }]),
    ),
  };
}

function respondJson(response: ServerResponse, value: unknown): void {
  respondText(response, 200, `${JSON.stringify(value, undefined, 1)}\n`, "application/json; charset=utf-8");
}
