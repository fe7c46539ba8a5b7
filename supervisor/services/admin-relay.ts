import { Metadata } from "#proto/gen/bulkhead/metadata/v1/metadata_pb.ts";
import { HostError } from "#proto/wire/errors.ts";
import { clientOf, implement, type Service } from "#rpc";
import type { PackageView, Supervision } from "../status.ts";
import type { PackageChannels } from "./package-channels.ts";

/**
 * bulkhead.metadata.v1 on the admin socket, passed on to the package that serves it: a backup copies every
 * namespace's records to a path of the caller's choice, which is not for clients of the main socket.
 */
export function metadataRelay(supervision: Supervision, channels: PackageChannels): Service {
  return implement(Metadata, {
    backup(request, { signal, deadlineMs, method }) {
      const owner = packageServing(supervision, Metadata.typeName);
      if (owner === undefined)
        throw new HostError("unimplemented", `${method}: no package serves ${Metadata.typeName}`);
      return clientOf(Metadata, channels.to(owner)).backup(request, { signal, deadlineMs });
    },
  });
}

function packageServing(supervision: Supervision, service: string): PackageView | undefined {
  return supervision
    .packages()
    .find((view) => view.plugins.some((plugin) => plugin.declaration.serves.includes(service)));
}
