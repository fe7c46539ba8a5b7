import type { Service } from "#rpc";
import type { Supervision } from "../status.ts";
import { metadataRelay } from "./admin-relay.ts";
import { controlRoutes } from "./built-in-plugins.ts";
import { controlService } from "./control.ts";
import type { HostFacts } from "./facts.ts";
import { healthService } from "./health.ts";
import { hostService, type HostDirectory } from "./host.ts";
import { introspectionService } from "./introspection.ts";
import type { PackageChannels } from "./package-channels.ts";
import { reflectionOfRoutes } from "./reflection.ts";
import { versionService } from "./version.ts";

export { builtInPlugins, controlHostServices, controlPackage, controlRoutes } from "./built-in-plugins.ts";
export type { HostFacts } from "./facts.ts";
export type { HostDirectory } from "./host.ts";
export { PackageChannels } from "./package-channels.ts";

export interface ControlServices {
  /** Behind the main socket (`controlRoutes`) and the host sockets (`controlHostServices`): read-only. */
  readonly main: readonly Service[];
  /** On `<state>/admin.sock`. */
  readonly admin: readonly Service[];
}

/** Every RPC that control answers. The caller owns and disposes `channels`. */
export function controlServices(
  supervision: Supervision,
  facts: HostFacts,
  directory: HostDirectory,
  channels: PackageChannels,
): ControlServices {
  const names = () => [...new Set([...controlRoutes, ...supervision.routes().keys()])];
  const shared = [
    versionService(facts),
    introspectionService(supervision, facts),
    healthService(supervision),
    ...reflectionOfRoutes(supervision, channels, names),
  ];
  return {
    main: [...shared, controlService(supervision, facts, "main"), hostService(directory)],
    admin: [...shared, controlService(supervision, facts, "admin"), metadataRelay(supervision, channels)],
  };
}
