import type { MessageInitShape } from "@bufbuild/protobuf";
import type { CallContext } from "bulkhead/plugin";
import type {
  ApplyRequest,
  ApplyResponseSchema,
  DiffRequest,
  DiffResponseSchema,
} from "#proto/gen/containerd/services/diff/v1/diff_pb.ts";

/** Something that unpacks and makes layers: ours, or one of another package. */
export interface Differ {
  /** Throws unimplemented when another differ should be asked. */
  apply(request: ApplyRequest, context: CallContext): Promise<MessageInitShape<typeof ApplyResponseSchema>>;
  diff(request: DiffRequest, context: CallContext): Promise<MessageInitShape<typeof DiffResponseSchema>>;
}
