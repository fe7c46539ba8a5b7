import type { Client } from "bulkhead/plugin";
import type { Containers } from "#proto/gen/containerd/services/containers/v1/containers_pb.ts";
import type { Namespaces } from "#proto/gen/containerd/services/namespaces/v1/namespaces_pb.ts";
import type { Snapshots } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import type { Tasks } from "#proto/gen/containerd/services/tasks/v1/tasks_pb.ts";

/** Whom the restart monitor asks. */
export interface RestartClients {
  readonly namespaces: Client<typeof Namespaces>;
  readonly containers: Client<typeof Containers>;
  readonly snapshots: Client<typeof Snapshots>;
  readonly tasks: Client<typeof Tasks>;
}

/** The same, for calls in one namespace. */
export interface Scope extends RestartClients {
  readonly namespace: string;
  readonly options: { readonly metadata: Readonly<Record<string, string>>; readonly signal: AbortSignal };
}
