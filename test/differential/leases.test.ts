import { Content } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { Leases } from "#proto/gen/containerd/services/leases/v1/leases_pb.ts";
import { badFilters } from "./bad-input.ts";
import { digestOf } from "./blobs.ts";
import { compareCases } from "./compare.ts";
import { call, run } from "./steps.ts";
import { write } from "./writes.ts";

const blob = Buffer.from("leased");
const digest = digestOf(blob);

compareCases("leases", [
  {
    title: "ctr creates, lists and deletes",
    steps: [
      run(["leases", "create", "--id", "one", "a=b"]),
      run(["leases", "create", "--id", "two", "--expires", "1h"]),
      run(["leases", "create", "--id", "three", "--expires", "0", "c=d", "e=f"]),
      run(["leases", "ls"]),
      run(["leases", "ls", "-q"]),
      run(["leases", "ls", "id==one"]),
      run(["leases", "ls", "labels.c==d"]),
      run(["leases", "create", "--id", "one"]),
      run(["leases", "delete", "one"]),
      run(["leases", "delete", "one", "two"]),
      run(["leases", "delete", "--sync", "two"]),
      run(["leases", "ls", "-q"]),
      run(["leases", "create"]),
      run(["leases", "delete"]),
      run(["leases", "ls", "id=="]),
    ],
  },
  {
    title: "leases have free-form ids and labels",
    steps: [
      call(Leases, "create", { id: "/a b:c/ü", labels: { x: "1" } }),
      call(Leases, "create", { id: "/a b:c/ü" }),
      call(Leases, "create", {}),
      call(Leases, "create", { id: "l".repeat(300) }),
      call(Leases, "create", { id: "labels", labels: { k: "x".repeat(4096) } }),
      call(Leases, "create", { id: "expired", labels: { "containerd.io/gc.expire": "2001-01-01T00:00:00Z" } }),
      call(Leases, "create", { id: "nonsense", labels: { "containerd.io/gc.expire": "soon" } }),
      call(Leases, "list", { filters: ['id=="/a b:c/ü"', "id==labels"] }),
      call(Leases, "delete", { id: "/a b:c/ü" }),
      call(Leases, "delete", { id: "/a b:c/ü" }),
      call(Leases, "delete", { id: "" }),
      call(Leases, "create", { id: "x" }, { namespace: "" }),
      call(Leases, "create", { id: "x" }, { namespace: "bad ns" }),
      call(Leases, "delete", { id: "x" }, { namespace: "never-was" }),
      call(Leases, "list", {}, { namespace: "" }),
      call(Leases, "list", {}, { namespace: "never-was" }),
      ...badFilters.map((filter) => call(Leases, "list", { filters: [filter] })),
    ],
  },
  {
    title: "resources are added, listed and taken away",
    steps: [
      call(Leases, "create", { id: "r" }),
      call(Leases, "addResource", { id: "r", resource: { type: "content", id: digest } }),
      call(Leases, "addResource", { id: "r", resource: { type: "content", id: digest } }),
      call(Leases, "addResource", { id: "r", resource: { type: "ingests", id: "some ref" } }),
      call(Leases, "addResource", { id: "r", resource: { type: "snapshots/overlayfs", id: "key" } }),
      call(Leases, "addResource", { id: "r", resource: { type: "snapshots/native", id: "key 2" } }),
      call(Leases, "listResources", { id: "r" }),
      call(Leases, "deleteResource", { id: "r", resource: { type: "ingests", id: "some ref" } }),
      call(Leases, "deleteResource", { id: "r", resource: { type: "ingests", id: "absent" } }),
      call(Leases, "deleteResource", { id: "r", resource: { type: "snapshots/native", id: "key 2" } }),
      call(Leases, "listResources", { id: "r" }),
    ],
  },
  {
    title: "bad resources and unknown leases are refused",
    steps: [
      call(Leases, "create", { id: "r" }),
      ...["addResource" as const, "deleteResource" as const].flatMap((method) => [
        call(Leases, method, { id: "r", resource: { type: "content", id: "no digest" } }),
        call(Leases, method, { id: "r", resource: { type: "content", id: "" } }),
        call(Leases, method, { id: "r", resource: { type: "content/x", id: digest } }),
        call(Leases, method, { id: "r", resource: { type: "ingests", id: "" } }),
        call(Leases, method, { id: "r", resource: { type: "ingests/x", id: "ref" } }),
        call(Leases, method, { id: "r", resource: { type: "snapshots", id: "key" } }),
        call(Leases, method, { id: "r", resource: { type: "snapshots/", id: "key" } }),
        call(Leases, method, { id: "r", resource: { type: "snapshots/a/b", id: "key" } }),
        call(Leases, method, { id: "r", resource: { type: "snapshots/overlayfs", id: "" } }),
        call(Leases, method, { id: "r", resource: { type: "images", id: "x" } }),
        call(Leases, method, { id: "r", resource: { type: "", id: "x" } }),
        call(Leases, method, { id: "r" }),
        call(Leases, method, { id: "absent", resource: { type: "content", id: digest } }),
        call(Leases, method, { id: "", resource: { type: "content", id: digest } }),
      ]),
      call(Leases, "listResources", { id: "r" }),
      call(Leases, "listResources", { id: "absent" }),
      call(Leases, "listResources", { id: "" }),
    ],
  },
  {
    title: "writes join their lease, first the ingest and then the blob",
    steps: [
      call(Leases, "create", { id: "w" }),
      write(
        [
          { ref: "leased", total: 6 },
          { action: "WRITE", data: blob },
        ],
        { lease: "w" },
      ),
      call(Leases, "listResources", { id: "w" }),
      write([{ ref: "leased" }, { action: "COMMIT", offset: 6, expected: digest }], { lease: "w" }),
      call(Leases, "listResources", { id: "w" }),
      call(Leases, "create", { id: "v" }),
      write([{ ref: "again", expected: digest }], { lease: "v" }),
      call(Leases, "listResources", { id: "v" }),
      write([{ ref: "again" }], { lease: "absent" }),
      call(Content, "status", { ref: "again" }),
      call(Content, "info", { digest }, { lease: "absent" }),
      call(Content, "delete", { digest }),
      call(Leases, "listResources", { id: "w" }),
      call(Leases, "delete", { id: "w" }, { lease: "w" }),
    ],
  },
]);
