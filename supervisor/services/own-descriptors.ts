/**
 * Descriptors of every service that Bulkhead's own packages and control may answer on the main socket. Loaded at
 * the first question to reflection only: they are most of control's generated code.
 */
import type { DescService } from "@bufbuild/protobuf";
import { Control } from "#proto/gen/bulkhead/control/v1/control_pb.ts";
import { Containers } from "#proto/gen/containerd/services/containers/v1/containers_pb.ts";
import { Content } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { Diff } from "#proto/gen/containerd/services/diff/v1/diff_pb.ts";
import { Events } from "#proto/gen/containerd/services/events/v1/events_pb.ts";
import { Images } from "#proto/gen/containerd/services/images/v1/images_pb.ts";
import { Introspection } from "#proto/gen/containerd/services/introspection/v1/introspection_pb.ts";
import { Leases } from "#proto/gen/containerd/services/leases/v1/leases_pb.ts";
import { Namespaces } from "#proto/gen/containerd/services/namespaces/v1/namespaces_pb.ts";
import { Snapshots } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import { Tasks } from "#proto/gen/containerd/services/tasks/v1/tasks_pb.ts";
import { Version } from "#proto/gen/containerd/services/version/v1/version_pb.ts";
import { Health } from "#proto/gen/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "#proto/gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionV1Alpha } from "#proto/gen/grpc/reflection/v1alpha/reflection_pb.ts";

/** Compiled descriptors by full service name. */
export const ownDescriptors: ReadonlyMap<string, DescService> = new Map(
  [
    Containers,
    Content,
    Control,
    Diff,
    Events,
    Health,
    Images,
    Introspection,
    Leases,
    Namespaces,
    ServerReflection,
    ServerReflectionV1Alpha,
    Snapshots,
    Tasks,
    Version,
  ].map((service) => [service.typeName, service]),
);
