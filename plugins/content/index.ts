import { definePlugin } from "bulkhead/plugin";
import { Blobs } from "#proto/gen/bulkhead/blobs/v1/blobs_pb.ts";
import { Content } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { LocalStore } from "./local-store.ts";
import { ReadPermits } from "./read-permits.ts";
import { contentService } from "./service.ts";

/** Knows which namespace has which blob. */
const metadata = "io.containerd.metadata.v1.bolt";
/** Answers for a namespace's blobs. */
const namespacedContent = "io.containerd.grpc.v1.content";

export default definePlugin({
  async init({ root, peers }) {
    const store = await LocalStore.open(root);
    const clients = () => ({
      blobs: peers.client(Blobs, metadata),
      content: peers.client(Content, namespacedContent),
    });
    const permits = new ReadPermits(peers, metadata, () => peers.client(Blobs, metadata));
    return {
      services: [contentService(store, clients, permits)],
      exports: { root },
      close: () => permits[Symbol.dispose](),
    };
  },
});
