import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Config } from "../config/config.ts";
import type { LaunchHost } from "./launch.ts";
import type { Privileges } from "./privileges.ts";

/** plugin-host's entry: beside us in a checkout, the bundle in an installed package. */
const pluginHostEntry = import.meta.url.endsWith(".ts")
  ? fileURLToPath(new URL("../../plugin-host/main.ts", import.meta.url))
  : fileURLToPath(new URL("./plugin-host.js", import.meta.url));

/** Flags that keep a small process small: young objects are few, and old ones are collected early. */
const memoryFlags = ["--max-semi-space-size=1", "--disable-warning=ExperimentalWarning"];

/** What every launch of this daemon shares. `socketFolder` is where package sockets go. */
export function launchHost(
  config: Config,
  folders: Pick<LaunchHost, "socketFolder" | "hostSocketFolder">,
  privileges: Privileges,
): LaunchHost {
  return {
    ...folders,
    root: config.root,
    state: config.state,
    env: process.env,
    logLevel: config.debug.level,
    maxRecvMessageBytes: config.grpc.maxRecvMessageBytes,
    maxSendMessageBytes: config.grpc.maxSendMessageBytes,
    privileges,
    childOomScoreAdj: ownOomScoreAdj() === 0 ? undefined : 0,
    pluginHostCommand: [process.execPath, ...memoryFlags, pluginHostEntry],
  };
}

function ownOomScoreAdj(): number {
  try {
    return Number(readFileSync("/proc/self/oom_score_adj", "utf8"));
  } catch {
    return 0;
  }
}
