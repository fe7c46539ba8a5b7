import type { PluginDeclaration } from "../config/manifest.ts";

/** Name of the package that control's own plugins stand under. */
export const controlPackage = "control";

/** Plugins that control itself is; ids and requires as containerd prints them. */
export const builtInPlugins: readonly PluginDeclaration[] = [
  declare("io.containerd.service.v1", "introspection-service", []),
  declare("io.containerd.grpc.v1", "introspection", ["containerd.services.introspection.v1.Introspection"], {
    // What containerd prints; as a real requirement it would make control wait for its own children.
    shows: ["io.containerd.service.v1"],
  }),
  declare("io.containerd.grpc.v1", "healthcheck", ["grpc.health.v1.Health"]),
  declare("io.containerd.grpc.v1", "version", ["containerd.services.version.v1.Version"]),
];

/** Every service that control answers on the main socket. */
export const controlRoutes: readonly string[] = [
  ...builtInPlugins.flatMap((plugin) => plugin.routes),
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
  "bulkhead.control.v1.Control",
];

/**
 * Methods of control that only read, so the router asks them again when control dies under them. What watches ends
 * with control, and its callers watch anew.
 */
export const controlReads: readonly string[] = [
  "/containerd.services.version.v1.Version/Version",
  "/containerd.services.introspection.v1.Introspection/PluginInfo",
  "/containerd.services.introspection.v1.Introspection/Plugins",
  "/containerd.services.introspection.v1.Introspection/Server",
  "/grpc.health.v1.Health/Check",
  "/bulkhead.control.v1.Control/ListPlugins",
  "/bulkhead.control.v1.Control/GetPackage",
  "/bulkhead.host.v1.Host/Hello",
];

/** Services of control that only callers on host sockets reach. */
export const controlHostServices: readonly string[] = ["bulkhead.host.v1.Host"];

function declare(
  type: string,
  id: string,
  services: readonly string[],
  more: Partial<PluginDeclaration> = {},
): PluginDeclaration {
  return {
    type,
    id,
    serves: services,
    routes: services,
    requires: [],
    wants: [],
    calls: [],
    capabilities: [],
    exports: {},
    platforms: [],
    config: undefined,
    shows: undefined,
    ...more,
  };
}
