import { Plugin } from "#proto/gen/bulkhead/plugin/v1/plugin_pb.ts";
import { HostError } from "#proto/wire/errors.ts";
import { clientOf } from "#rpc";
import type { Supervision } from "../status.ts";
import { packageOrThrow } from "./control.ts";
import type { PackageChannels } from "./package-channels.ts";
import type { ProfileKind } from "./profile.ts";

/** Milliseconds that a package may take beyond the profile's own length. */
const slackMs = 30_000;

/** A profile of a native package's process, in chunks. Throws not-found, unimplemented or unavailable. */
export async function* profilePackage(
  sources: { readonly supervision: Supervision; readonly channels: PackageChannels },
  name: string,
  request: { readonly kind: ProfileKind; readonly seconds: number },
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const view = packageOrThrow(sources.supervision, name);
  if (view.tier !== "native") {
    throw new HostError(
      "unimplemented",
      `profile package ${name}: only native packages offer profiles, it is ${view.tier}`,
    );
  }
  const deadlineMs = Date.now() + request.seconds * 1000 + slackMs;
  const client = clientOf(Plugin, sources.channels.to(view));
  for await (const { data } of client.profile(request, { signal, deadlineMs })) yield data;
}
