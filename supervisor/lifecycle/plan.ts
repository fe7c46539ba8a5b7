import type { Manifest, PluginDeclaration } from "../config/manifest.ts";
import type { HostRoute } from "../router/route-table.ts";

/** What the graph decided of one package; all a fleet needs to run it. */
export interface PackagePlan {
  readonly manifest: Manifest;
  /** `declared` runs; the others never start by themselves. */
  readonly initial: { readonly state: "declared" | "disabled" | "failed"; readonly reason: string };
  /** Each must have one ready provider before the package starts. */
  readonly requirements: readonly Requirement[];
  /** Packages whose Init comes first, if they start at all. */
  readonly wants: readonly string[];
  /** Plugins it may call: package and declaration, in a fixed order. */
  readonly peers: readonly { readonly package: string; readonly plugin: PluginDeclaration }[];
  /** Services it may call through its host socket. */
  readonly calls: Readonly<Record<string, HostRoute>>;
}

export interface Requirement {
  /** As the manifest has it: a type, `type.id` or `*`. */
  readonly item: string;
  /** Packages of which one must be ready; empty: nothing of the kind is installed. */
  readonly providers: readonly string[];
}
