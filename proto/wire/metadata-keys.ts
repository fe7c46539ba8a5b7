/** Names of the gRPC request metadata that host, packages and containerd clients agree on. */
export const metadataKeys = {
  /** containerd namespace of a call. */
  namespace: "containerd-namespace",
  /** The same on ttrpc. */
  ttrpcNamespace: "containerd-namespace-ttrpc",
  /** Lease that new objects join. */
  lease: "containerd-lease",
  /** Client's choice among packages that route one service: package name or type.id. */
  plugin: "bulkhead-plugin",
  /** Set by the router: `<package>` of a host socket, else `uid:<n>`. */
  caller: "bulkhead-caller",
  /** Set by the router on what metadata redirects: "1" where content serves a client's namespaced call. */
  namespaced: "bulkhead-namespaced",
  /** Set by a package in a trailers-only answer: replay the request at that package. */
  redirect: "bulkhead-redirect",
  /** Prefix of headers that a redirecting package adds to the replayed request. */
  redirectSet: "bulkhead-set-",
} as const;
