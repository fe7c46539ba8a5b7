import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { Content } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { Containers } from "#proto/gen/containerd/services/containers/v1/containers_pb.ts";
import { Images } from "#proto/gen/containerd/services/images/v1/images_pb.ts";
import { Leases } from "#proto/gen/containerd/services/leases/v1/leases_pb.ts";
import { Namespaces } from "#proto/gen/containerd/services/namespaces/v1/namespaces_pb.ts";
import { digestOf, patternBytes } from "./blobs.ts";
import { compareCases } from "./compare.ts";
import { call, run, view, type Step } from "./steps.ts";
import { write } from "./writes.ts";

const piece = patternBytes(1024 * 1024);
const small = Buffer.from("small\n");
const kept = { "containerd.io/gc.root": "now" };
/** Half a mebibyte of labels: more than any database has room for without growing. */
const labels = Object.fromEntries(Array.from({ length: 128 }, (_, index) => [`l${index}`, "x".repeat(4000)]));
const target = { mediaType: "x/y", digest: digestOf("manifest"), size: 8n };
const container = { runtime: { name: "r" }, spec: { typeUrl: "t", value: Buffer.from("{}") } };

/** Takes all the room below the daemon's root. */
const fill: Step = {
  title: "the disk is filled",
  run: async ({ daemon }) => {
    await using file = await open(join(daemon.root, "filler"), "w");
    for (const size of [65_536, 512, 1]) {
      try {
        for (;;) await file.write(Buffer.alloc(size));
      } catch (error) {
        if ((error as { code?: string }).code !== "ENOSPC") throw error;
      }
    }
    return null;
  },
};
const empty: Step = {
  title: "there is room again",
  run: async ({ daemon }) => {
    await rm(join(daemon.root, "filler"));
    return null;
  },
};

/** Code and text; how much fitted before depends on what else is on the disk. */
function failure(step: Step): Step {
  return view(step, (outcome) => {
    const { code, message, answers } = outcome as { code: number; message: string; answers: readonly unknown[] };
    return [code, message, answers.length > 1];
  });
}

compareCases(
  "full-disk",
  [
    {
      title: "an ingest fails, nothing is committed, and once aborted its room is there again",
      steps: [
        run(["content", "ingest", "big"], { stdin: Buffer.concat(Array.from({ length: 48 }, () => piece)) }),
        call(Content, "list", {}),
        call(Content, "abort", { ref: "big" }),
        failure(
          write([
            { ref: "calls" },
            ...Array.from({ length: 48 }, (_, index) => ({
              action: "WRITE" as const,
              offset: index * piece.length,
              data: piece,
            })),
          ]),
        ),
        call(Content, "abort", { ref: "calls" }),
        call(Content, "listStatuses", { filters: [] }),
        write([{ ref: "small" }, { action: "COMMIT", data: small, expected: digestOf(small), labels: kept }]),
        run(["content", "get", digestOf(small)]),
      ],
    },
    {
      title: "changes fail, reads and removals do not, and everything works once there is room",
      steps: [
        call(Images, "create", { image: { name: "before", target } }),
        fill,
        call(Images, "create", { image: { name: "i", target, labels } }),
        call(Images, "update", { image: { name: "before", target, labels } }),
        call(Containers, "create", { container: { ...container, id: "c", labels } }),
        call(Leases, "create", { id: "l", labels }),
        call(Namespaces, "create", { namespace: { name: "full", labels } }),
        call(Images, "list", {}),
        call(Images, "delete", { name: "before" }),
        empty,
        call(Images, "create", { image: { name: "i", target } }),
        call(Images, "list", {}),
      ],
    },
  ],
  { rootSize: "32m" },
);
