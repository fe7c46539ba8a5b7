/** Names as the plugin contract has them; the JSON schema of plugin.yaml carries the same. */
export const patterns = {
  packageName: /^[a-z][a-z0-9-]{0,31}$/,
  version: /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/,
  /** At least three words: a URI in the config has four. */
  pluginType: /^[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+){2,}$/,
  pluginId: /^[A-Za-z0-9][A-Za-z0-9_-]{0,75}$/,
  /** A type, `type.id`, or `*`. */
  item: /^(\*|[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+){2,})$/,
  service: /^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$/,
  method: /^\/[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*\/[A-Za-z_][A-Za-z0-9_]*$/,
  /** A service, or one method of it. */
  route:
    /^([A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*|\/[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*\/[A-Za-z_][A-Za-z0-9_]*)$/,
  platform: /^[a-z0-9]+\/[a-z0-9_]+(\/[a-z0-9]+)?$/,
  /** Below the package's folder: not absolute, no `..`, no empty part. */
  relativePath: /^(?!\.\.(\/|$))[^/\0]+(\/(?!\.\.(\/|$))[^/\0]+)*$/,
  /** Names of proxy plugins, which others chose; they become part of file names. */
  proxyName: /^[A-Za-z0-9][A-Za-z0-9_.-]{0,75}$/,
  environmentName: /^[A-Za-z_][A-Za-z0-9_]*$/,
  user: /^[a-z0-9_][a-z0-9_.-]{0,31}\$?$/i,
} as const;

/** How to say what was expected. */
export const expectations = {
  packageName: "a name of a-z, 0-9 and -, beginning with a letter, at most 32 long",
  version: "a version like 1.4.0",
  pluginType: "a plugin type like io.containerd.snapshotter.v1",
  pluginId: "an id of letters, digits, - and _",
  item: 'a plugin type, type.id or "*"',
  service: "a full gRPC service name like acme.v1.Thing",
  route: "a full gRPC service name like acme.v1.Thing or a method of one like /acme.v1.Thing/Get",
  platform: "a platform like linux/amd64",
  relativePath: "a path below the package's folder",
  proxyName: "a name of letters, digits, -, _ and .",
  user: "a user name or number",
} as const;
