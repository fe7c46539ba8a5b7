import type { Peers } from "bulkhead/plugin";
import { Diff } from "#proto/gen/containerd/services/diff/v1/diff_pb.ts";
import { callOptionsOf } from "./call-options.ts";
import type { Differ } from "./differ.ts";

/** A differ of another package, asked on behalf of the caller. */
export function proxiedDiffer(peers: Peers, uri: string): Differ {
  const client = () => peers.client(Diff, uri);
  return {
    apply: (request, context) => client().apply(request, callOptionsOf(context)),
    diff: (request, context) => client().diff(request, callOptionsOf(context)),
  };
}
