import type { InitResponse, Offer } from "#proto/gen/bulkhead/plugin/v1/plugin_pb.ts";
import { codeOf } from "#proto/wire/status.ts";
import { uriOf, type Manifest } from "../config/manifest.ts";
import type { PluginView } from "../status.ts";
import type { LifecycleEvent, StateName } from "./states.ts";

/** One plugin's own outcome of Init. */
export interface PluginOutcome {
  readonly outcome: "ok" | "skipped" | "failed";
  readonly reason: string;
  readonly code: number;
  readonly exports: Readonly<Record<string, string>>;
  readonly capabilities: readonly string[];
  readonly platforms: PluginView["platforms"];
}

const retriableCodes = new Set([codeOf("unavailable"), codeOf("aborted")]);

/** Outcomes by type.id; a plugin Init said nothing of is ok as declared. */
export function outcomesOf(manifest: Manifest, response: InitResponse): ReadonlyMap<string, PluginOutcome> {
  const results = new Map(response.results.map((result) => [uriOf(result), result.outcome]));
  return new Map(
    manifest.plugins.map((declaration): [string, PluginOutcome] => {
      const outcome = results.get(uriOf(declaration));
      const declared = declaredOutcome(declaration);
      switch (outcome?.case) {
        case undefined:
          return [uriOf(declaration), declared];
        case "ok":
          return [uriOf(declaration), shownBy(declared, outcome.value)];
        case "skip": {
          const { reason, shown } = outcome.value;
          const text = reason.includes("skip plugin") ? reason : `${reason}: skip plugin`;
          return [
            uriOf(declaration),
            { ...shownBy(declared, shown), outcome: "skipped", reason: text, code: codeOf("unknown") },
          ];
        }
        case "failure": {
          const { code, message, fields } = outcome.value;
          const details = fields.map(({ pointer, message: text }) => `${pointer}: ${text}`).join("; ");
          const reason = details === "" ? message : `${message} (${details})`;
          return [uriOf(declaration), { ...declared, outcome: "failed", reason, code }];
        }
      }
    }),
  );
}

/** What was declared, with what Init said in its place. */
function shownBy(declared: PluginOutcome, offer: Offer | undefined): PluginOutcome {
  const { exports = {}, capabilities = [], platforms = [] } = offer ?? {};
  return {
    ...declared,
    exports: { ...declared.exports, ...exports },
    capabilities: capabilities.length > 0 ? capabilities : declared.capabilities,
    platforms: platforms.length > 0 ? platforms : declared.platforms,
  };
}

/** What a plugin is before, or without, Init. */
export function declaredOutcome(declaration: Manifest["plugins"][number]): PluginOutcome {
  const platforms = declaration.platforms.map((text) => {
    const [os = "", architecture = "", variant = ""] = text.split("/");
    return { os, architecture, variant };
  });
  const { exports, capabilities } = declaration;
  return { outcome: "ok", reason: "", code: 0, exports, capabilities, platforms };
}

/** What Init means for the whole package: it goes on as long as one plugin is ok. */
export function initEvent(outcomes: ReadonlyMap<string, PluginOutcome>): LifecycleEvent {
  const all = [...outcomes.values()];
  if (all.some(({ outcome }) => outcome === "ok")) return { type: "init-done" };
  const failures = all.filter(({ outcome }) => outcome === "failed");
  const reason = (failures.length > 0 ? failures : all).map((each) => each.reason).join("; ");
  if (failures.length === 0) return { type: "init-skipped", reason };
  return { type: "init-failed", reason, retriable: failures.some(({ code }) => retriableCodes.has(code)) };
}

/** A plugin's state is its package's, unless Init said otherwise of it. */
export function pluginState(packageState: StateName, outcome: PluginOutcome): StateName {
  if (packageState !== "ready" && packageState !== "unhealthy") return packageState;
  return outcome.outcome === "ok" ? packageState : outcome.outcome;
}
