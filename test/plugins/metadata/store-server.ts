import { Blobs } from "#proto/gen/bulkhead/blobs/v1/blobs_pb.ts";
import { Content } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { clientOf, connect, serve } from "#rpc";
import { LocalStore, type StoreOptions } from "../../../plugins/content/local-store.ts";
import { contentService } from "../../../plugins/content/service.ts";

export interface StoreServer extends AsyncDisposable {
  readonly store: LocalStore;
}

/** A content store below `folder` on its `content.sock`, which asks the metadata on its `metadata.sock`. Owns: both. */
export async function startStore(folder: string, options: StoreOptions = {}): Promise<StoreServer> {
  const owned = new AsyncDisposableStack();
  const store = await LocalStore.open(`${folder}/content`, options);
  const metadata = owned.use(connect(`${folder}/metadata.sock`));
  const clients = { blobs: clientOf(Blobs, metadata), content: clientOf(Content, metadata) };
  const unrouted = { check: () => Promise.reject(new Error("no router stands before this store")) };
  const server = owned.use(serve({ services: [contentService(store, () => clients, unrouted)] }));
  await server.listen(`${folder}/content.sock`);
  return { store, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
