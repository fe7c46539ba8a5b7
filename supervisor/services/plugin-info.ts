import type { MessageInitShape } from "@bufbuild/protobuf";
import type { PluginSchema } from "#proto/gen/containerd/services/introspection/v1/introspection_pb.ts";
import { codeOf } from "#proto/wire/status.ts";
import { uriOf } from "../config/manifest.ts";
import type { PackageView, PluginView, Supervision } from "../status.ts";
import { isServing } from "./health-states.ts";

/** One plugin as Introspection prints it. */
export type PluginInfo = MessageInitShape<typeof PluginSchema>;

/**
 * Every plugin that containerd would list, in its order: a disabled one is never listed.
 * `init_err` carries the words by which `ctr plugins ls` tells skipped from broken.
 */
export function listPlugins(supervision: Supervision): PluginInfo[] {
  const typeOfUri = new Map(
    supervision
      .packages()
      .flatMap((view) => view.plugins)
      .map(({ declaration }) => [uriOf(declaration), declaration.type]),
  );
  return supervision
    .introspectionOrder()
    .filter(({ plugin }) => plugin.state !== "disabled")
    .map(({ package: owner, plugin }) => describePlugin(owner, plugin, typeOfUri));
}

function describePlugin(owner: PackageView, plugin: PluginView, typeOfUri: ReadonlyMap<string, string>): PluginInfo {
  const { type, id, shows, requires, wants, exports, capabilities, platforms } = plugin.declaration;
  const needs = shows ?? [...requires, ...wants];
  const initErr = initErrorOf(owner, plugin);
  return {
    type,
    id,
    requires: [...new Set(needs.map((need) => typeOfUri.get(need) ?? need))],
    platforms: plugin.platforms.length > 0 ? [...plugin.platforms] : platforms.map(parsePlatform),
    exports: { ...exports, ...plugin.exports },
    capabilities: [...(plugin.capabilities.length > 0 ? plugin.capabilities : capabilities)],
    ...(initErr === undefined ? {} : { initErr }),
  };
}

/** "os/architecture[/variant]" as a message. */
function parsePlatform(text: string) {
  const [os = "", architecture = "", variant = ""] = text.split("/");
  return { os, architecture, variant };
}

function initErrorOf(owner: PackageView, plugin: PluginView): { code: number; message: string } | undefined {
  if (isServing(plugin.state)) return undefined;
  const reason = plugin.reason || owner.reason;
  const unknown = codeOf("unknown");
  if (plugin.state === "skipped") {
    const message = reason.includes("skip plugin") ? reason : [reason, "skip plugin"].filter(Boolean).join(": ");
    return { code: plugin.code || unknown, message };
  }
  if (plugin.state === "failed") return { code: plugin.code || unknown, message: reason || "failed" };
  const message = `package ${owner.name} is ${plugin.state}${reason && `: ${reason}`}`;
  return { code: plugin.code || codeOf("unavailable"), message };
}
