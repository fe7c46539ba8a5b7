/** Flags that stand before or after any command; names and meaning are containerd's. */
export interface GlobalFlags {
  readonly config?: string;
  readonly address?: string;
  readonly root?: string;
  readonly state?: string;
  readonly logLevel?: string;
}

/** How the flags are written and what help says of them; the daemon's own help prints them too. */
export const globalFlags = [
  ["-c, --config <file>", "config file (default /etc/bulkhead/config.yaml)"],
  ["-a, --address <socket>", "main gRPC socket, a plain path"],
  ["--root <folder>", "persistent state"],
  ["--state <folder>", "volatile state, sockets, logs"],
  ["-l, --log-level <level>", "trace, debug, info, warn, error, fatal or panic"],
] as const;
