import type { Config } from "./config.ts";
import { manifestDefaults, pluginDefaults } from "./manifest-defaults.ts";
import type { Manifest } from "./manifest.ts";

/** The service that a proxy plugin of a type serves. (containerd: plugins/… `proxy_plugins`; boot.md section 6.) */
const servicesByType: Readonly<Record<string, string>> = {
  "io.containerd.snapshotter.v1": "containerd.services.snapshots.v1.Snapshots",
  "io.containerd.content.v1": "containerd.services.content.v1.Content",
  "io.containerd.differ.v1": "containerd.services.diff.v1.Diff",
  "io.containerd.sandbox.controller.v1": "containerd.services.sandbox.v1.Controller",
};

/** containerd's short words for them. */
const shortTypes: Readonly<Record<string, string>> = {
  snapshot: "io.containerd.snapshotter.v1",
  content: "io.containerd.content.v1",
  diff: "io.containerd.differ.v1",
  sandbox: "io.containerd.sandbox.controller.v1",
};

/** Every word that `proxy_plugins.<name>.type` may be. */
export const proxyPluginTypes: readonly string[] = [...Object.keys(shortTypes), ...Object.keys(servicesByType)];

/** The full type of a proxy plugin's `type`; undefined: none that can be proxied. */
export function fullProxyType(type: string): string | undefined {
  if (Object.hasOwn(shortTypes, type)) return shortTypes[type];
  return Object.hasOwn(servicesByType, type) ? type : undefined;
}

/**
 * The config's proxy plugins, each a package that something else runs. It is named as the plugin, or `<name>-proxy`
 * when a package in `taken` has that name. It serves its type's service to peers and is not on the main socket.
 */
export function externalPackages(config: Pick<Config, "proxyPlugins">, taken: ReadonlySet<string>): Manifest[] {
  return [...config.proxyPlugins].map(([id, { type, address, platform, exports, capabilities }]) => {
    const service = servicesByType[type];
    return {
      ...manifestDefaults(taken.has(id) ? `${id}-proxy` : id, "external"),
      address,
      plugins: [
        {
          ...pluginDefaults(type, id),
          serves: service === undefined ? [] : [service],
          capabilities,
          exports: { ...exports, address },
          platforms: platform === undefined ? [] : [platform],
        },
      ],
    };
  });
}
