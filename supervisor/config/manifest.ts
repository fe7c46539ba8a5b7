/** A checked plugin.yaml with every default filled in; keys as in the plugin contract, section 2. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  /** Absolute folder of the package; "" for externals. */
  readonly folder: string;
  readonly tier: Tier;
  /** External packages: absolute path of the socket that something else listens on. */
  readonly address: string | undefined;
  /** Arguments, variables unresolved; the first word resolved only at start. Undefined: `main` or external. */
  readonly command: readonly string[] | undefined;
  /** Module run by plugin-host, relative to the folder. */
  readonly main: string | undefined;
  readonly plugins: readonly PluginDeclaration[];
  /** By full method path. */
  readonly methods: ReadonlyMap<string, MethodPolicy>;
  readonly activation: "eager" | "lazy";
  readonly singleton: boolean;
  readonly restart: RestartPolicy;
  readonly readiness: { readonly by: "fd" | "socket"; readonly timeoutMs: number };
  readonly watchdog: { readonly intervalMs: number; readonly misses: number };
  readonly parking: ParkingPolicy;
  readonly stop: { readonly graceMs: number; readonly kill: "group" | "process" };
  readonly limits: {
    readonly memoryBytes: number | undefined;
    readonly cpu: number | undefined;
    readonly pids: number | undefined;
    readonly nofile: number | undefined;
    readonly coreBytes: number | undefined;
  };
  readonly user: string | undefined;
  readonly groups: readonly string[];
  readonly noNewPrivileges: boolean;
  readonly env: Readonly<Record<string, string>>;
  readonly inheritEnv: boolean;
  readonly data: { readonly version: number; readonly reads: readonly number[] } | undefined;
  readonly listen: readonly "ttrpc"[];
  readonly redirects: readonly string[];
  /** Shipped with Bulkhead: wins route conflicts, may use peers' own stable paths. */
  readonly shipped: boolean;
  /** Unknown keys and the like. */
  readonly warnings: readonly string[];
}

export type Tier = "external" | "proxy" | "go-plugin" | "native";

export interface PluginDeclaration {
  readonly type: string;
  readonly id: string;
  readonly serves: readonly string[];
  /** Services, or `/service/method` for one method of a service. */
  readonly routes: readonly string[];
  readonly requires: readonly string[];
  readonly wants: readonly string[];
  readonly calls: readonly string[];
  readonly capabilities: readonly string[];
  readonly exports: Readonly<Record<string, string>>;
  readonly platforms: readonly string[];
  /** Path of the config's JSON schema, relative to the folder. */
  readonly config: string | undefined;
  /** What introspection prints as requires; undefined: requires and wants. */
  readonly shows: readonly string[] | undefined;
}

export interface MethodPolicy {
  readonly idempotent: boolean;
  readonly unbounded: boolean;
  /** May be redirected. Where no method of a package says so, each of its methods may. */
  readonly redirects: boolean;
  readonly timeoutMs: number | undefined;
}

export interface RestartPolicy {
  readonly policy: "permanent" | "transient" | "temporary";
  readonly firstMs: number;
  readonly minMs: number;
  readonly maxMs: number;
  /** Restarts allowed in `periodMs`; 0: no limit. */
  readonly intensity: number;
  readonly periodMs: number;
}

export interface ParkingPolicy {
  readonly policy: "park" | "refuse";
  readonly calls: number;
  readonly bytes: number;
  readonly timeMs: number;
}

/** The service of a route, which may be one method of it. */
export function serviceOfRoute(route: string): string {
  return route.startsWith("/") ? route.slice(1, route.lastIndexOf("/")) : route;
}

/** `type.id`. */
export function uriOf(plugin: { readonly type: string; readonly id: string }): string {
  return `${plugin.type}.${plugin.id}`;
}
