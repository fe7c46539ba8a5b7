import { implement, type Service } from "bulkhead/plugin";
import { Diff } from "#proto/gen/containerd/services/diff/v1/diff_pb.ts";
import { namespaceOf } from "#proto/wire/identifiers.ts";
import type { Differ } from "./differ.ts";

/** containerd.services.diff.v1.Diff over a differ. */
export function diffService(differ: Differ): Service {
  return implement(Diff, {
    apply(request, context) {
      namespaceOf(context.metadata);
      return differ.apply(request, context);
    },
    diff(request, context) {
      namespaceOf(context.metadata);
      return differ.diff(request, context);
    },
  });
}
