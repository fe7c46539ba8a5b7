import type { JsonObject } from "../config/config.ts";
import type { Manifest } from "../config/manifest.ts";
import type { Ended } from "../crash/crash.ts";
import type { InstanceHost } from "./instance.ts";
import type { PackageRunner } from "./package-runner.ts";
import type { StateName } from "./states.ts";

/** What a runner needs of the rest of control. */
export interface RunnerHost extends InstanceHost {
  readonly hostVersion: string;
  random(): number;
  /** Whether everything the package requires is ready. */
  requirementsMet(name: string): boolean;
  /** What it waits for, in words. */
  missingRequirements(name: string): string;
  /** Resolves when the packages it merely wants have had their turn; rejects when `signal` aborts. */
  orderReached(name: string, signal: AbortSignal): Promise<void>;
  /** A plugin's config for people, secrets hidden. */
  shownConfig(manifest: Manifest, uri: string): JsonObject;
  /** Resolves when the router has no open call to that generation, or at the deadline. */
  drainRouter(name: string, generation: number, timeoutMs: number): Promise<void>;
  /** Has the router end its connections to that generation: calls that hang there fail now. */
  cutRouter(name: string, generation: number, reason: string): void;
  /** Why no generation may start, because an old one is not proved dead; undefined: one may. */
  obstruction(manifest: Manifest): string | undefined;
  /** A process has ended; told before anything follows from it. */
  readonly ended?: (ended: Ended) => void;
  /** Something to show or to route has changed. */
  changed(runner: PackageRunner, from: StateName): void;
}
