import { Content } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { badDigests, badFilters, absentDigest } from "./bad-input.ts";
import { digestOf, patternBytes } from "./blobs.ts";
import { compareCases } from "./compare.ts";
import { call, onlyLines, run, sortedLines, type Step } from "./steps.ts";
import { write } from "./writes.ts";

const hello = Buffer.from("hello, blob\n");
const helloDigest = digestOf(hello);
const large = patternBytes(3_000_000);
const largeDigest = digestOf(large);

/** A blob of this namespace, written by calls. */
function put(bytes: Uint8Array, ref = "put"): Step {
  return write([
    { ref, total: bytes.length, expected: digestOf(bytes) },
    { action: "WRITE", ref, data: bytes },
    { action: "COMMIT", ref, offset: bytes.length, total: bytes.length, expected: digestOf(bytes) },
  ]);
}

compareCases("content", [
  {
    title: "ctr ingests with digest and size, reads, lists and removes",
    steps: [
      run(["content", "ingest", "--expected-digest", helloDigest, "--expected-size", `${hello.length}`, "hello-ref"], {
        stdin: hello,
      }),
      run(["content", "get", helloDigest]),
      run(["content", "ls"]),
      run(["content", "ls", "-q"]),
      run(["content", "active"]),
      run(["content", "ingest", "--expected-digest", helloDigest, "--expected-size", `${hello.length}`, "hello-ref"], {
        stdin: hello,
      }),
      run(["content", "rm", helloDigest]),
      run(["content", "ls"]),
      run(["content", "get", helloDigest]),
    ],
  },
  {
    title: "ctr ingests without digest and size",
    steps: [run(["content", "ingest", "plain"], { stdin: large }), run(["content", "ls"])],
  },
  {
    title: "ctr reads a blob of many calls",
    steps: [put(large, "big"), run(["content", "get", largeDigest]), call(Content, "info", { digest: largeDigest })],
  },
  {
    title: "ctr labels, filters and prunes",
    steps: [
      put(hello),
      run(["content", "label", helloDigest, "a=b", "containerd.io/gc.ref.content.l.0=x"]),
      run(["content", "ls", "labels.a==b"]),
      run(["content", "ls", "labels.a==c"]),
      run(["content", "ls", `digest==${helloDigest}`]),
      run(["content", "label", helloDigest, "a="]),
      run(["content", "ls"]),
    ],
  },
  {
    title: "ctr's failures have the stock texts",
    steps: [
      run(["content", "get", absentDigest]),
      run(["content", "get", "nonsense"]),
      run(["content", "rm", absentDigest]),
      run(["content", "rm", "sha256:short"]),
      run(["content", "label", absentDigest, "a=b"]),
      run(["content", "ls", "digest=="]),
      run(["content", "ingest", "--expected-digest", absentDigest, "wrong"], { stdin: hello }),
      run(["content", "ingest", "--expected-size", "5", "wrong-size"], { stdin: hello }),
      run(["content", "ingest", "--expected-digest", "sha256:abc", "bad-digest"], { stdin: hello }),
      sortedLines(run(["content", "active"])),
      run(["content", "ingest", "--expected-digest", helloDigest, "wrong"], { stdin: hello }),
      run(["content", "ls", "-q"]),
    ],
  },
  {
    title: "a write answers each message and the last once more",
    steps: [
      write([
        { ref: "w", total: 12, expected: helloDigest },
        { ref: "w" },
        { action: "WRITE", offset: 0, data: hello.subarray(0, 5) },
        {},
        { action: "WRITE", offset: 5, data: Buffer.alloc(0) },
        { action: "WRITE", offset: 5, data: hello.subarray(5) },
        { action: "COMMIT", offset: 12, total: 12, expected: helloDigest, labels: { a: "b" } },
      ]),
      call(Content, "info", { digest: helloDigest }),
      write([{ ref: "w2", expected: helloDigest }]),
      write([
        { ref: "w3", total: 12 },
        { action: "COMMIT", offset: 0, data: hello, expected: helloDigest },
      ]),
      call(Content, "listStatuses", { filters: [] }),
    ],
  },
  {
    title: "an ingest goes on where it stopped, or anew with another total",
    steps: [
      write([
        { ref: "r", total: 12 },
        { action: "WRITE", data: hello.subarray(0, 4) },
      ]),
      call(Content, "status", { ref: "r" }),
      call(Content, "listStatuses", { filters: [] }),
      write([{ ref: "r" }]),
      write([
        { ref: "r", total: 12 },
        { action: "WRITE", offset: 4, data: hello.subarray(4, 6) },
      ]),
      write([{ ref: "r", total: 99 }]),
      call(Content, "status", { ref: "r" }),
      write([
        { ref: "r", total: 99 },
        { action: "WRITE", data: hello },
        { action: "COMMIT", offset: 12 },
      ]),
      call(Content, "status", { ref: "r" }),
      write([{ ref: "r" }, { action: "COMMIT", offset: 12, total: 12, labels: { done: "1" } }]),
      call(Content, "info", { digest: helloDigest }),
      call(Content, "status", { ref: "r" }),
    ],
  },
  {
    title: "offsets must fit, and zero starts over",
    steps: [
      write([{ ref: "o" }, { action: "WRITE", offset: 3, data: hello }]),
      write([{ ref: "o" }, { action: "WRITE", offset: 0, data: hello }, { action: "WRITE", offset: 5, data: hello }]),
      call(Content, "status", { ref: "o" }),
      write([{ ref: "o" }, { action: "WRITE", offset: 0, data: hello.subarray(0, 3) }]),
      call(Content, "status", { ref: "o" }),
      write([{ ref: "o" }, { action: "COMMIT", offset: 7 }]),
      write([{ ref: "o" }, { action: "WRITE", offset: -1, data: hello }]),
      call(Content, "status", { ref: "o" }),
    ],
  },
  {
    title: "a commit with a wrong size or digest fails and leaves the ingest",
    steps: [
      write([
        { ref: "c", total: 12 },
        { action: "WRITE", data: hello },
        { action: "COMMIT", offset: 12, total: 11 },
      ]),
      call(Content, "status", { ref: "c" }),
      write([{ ref: "c" }, { action: "COMMIT", offset: 12, expected: absentDigest }]),
      call(Content, "status", { ref: "c" }),
      write([{ ref: "c" }, { action: "COMMIT", offset: 12, total: 12, expected: helloDigest }]),
      call(Content, "info", { digest: helloDigest }),
    ],
  },
  {
    title: "an empty blob can be written",
    steps: [
      write([{ ref: "e" }, { action: "COMMIT", expected: digestOf("") }]),
      call(Content, "info", { digest: digestOf("") }),
      call(Content, "read", { digest: digestOf("") }),
      write([{ ref: "e2" }, { action: "COMMIT" }]),
      run(["content", "get", digestOf("")]),
    ],
  },
  {
    title: "writes with bad refs, digests and actions are refused",
    steps: [
      write([{}]),
      write([]),
      write([{ ref: "" }]),
      write([{ ref: "x" }, { ref: "y" }]),
      write([{ ref: "x", total: -1 }]),
      write([{ ref: "x" }, { action: 7 }]),
      ...badDigests.map((expected, index) => write([{ ref: `bad-${index}`, expected }])),
      ...badDigests.map((expected, index) =>
        write([{ ref: `badc-${index}` }, { action: "WRITE", data: hello }, { action: "COMMIT", offset: 12, expected }]),
      ),
      write([{ ref: "ns" }], { namespace: "" }),
      write([{ ref: "ns" }], { namespace: "bad/ns" }),
      write([{ ref: "lease" }], { lease: "no-such-lease" }),
      call(Content, "listStatuses", { filters: [""] }),
    ],
  },
  {
    title: "refs are free strings",
    steps: [
      write([{ ref: "a b/c:d ../e ü" }]),
      write([{ ref: `long-${"r".repeat(3000)}` }]),
      call(Content, "listStatuses", { filters: ['ref=="a b/c:d ../e ü"'] }),
      call(Content, "listStatuses", { filters: ["ref~=^long"] }),
      call(Content, "status", { ref: "a b/c:d ../e ü" }),
      call(Content, "abort", { ref: "a b/c:d ../e ü" }),
      call(Content, "status", { ref: "a b/c:d ../e ü" }),
    ],
  },
  {
    title: "a blob known to another namespace needs no bytes",
    steps: [
      put(hello, "share"),
      write([{ ref: "second", total: 12, expected: helloDigest }], { namespace: "content-shared" }),
      call(Content, "info", { digest: helloDigest }, { namespace: "content-shared" }),
      call(Content, "status", { ref: "second" }, { namespace: "content-shared" }),
      write(
        [
          { ref: "second", total: 12, expected: helloDigest },
          { action: "COMMIT", offset: 12, total: 12, expected: helloDigest },
        ],
        { namespace: "content-shared" },
      ),
      call(Content, "info", { digest: helloDigest }, { namespace: "content-shared" }),
      write([{ ref: "third", total: 13, expected: helloDigest }], { namespace: "content-shared-2" }),
      call(Content, "read", { digest: helloDigest }, { namespace: "content-shared-2" }),
      call(Content, "delete", { digest: helloDigest }, { namespace: "content-shared" }),
      call(Content, "read", { digest: helloDigest }),
    ],
  },
  {
    title: "reads take any range",
    steps: [
      put(large, "big"),
      put(hello, "small"),
      call(Content, "read", { digest: helloDigest }),
      call(Content, "read", { digest: helloDigest, offset: 3n }),
      call(Content, "read", { digest: helloDigest, offset: 3n, size: 4n }),
      call(Content, "read", { digest: helloDigest, offset: 3n, size: 400n }),
      call(Content, "read", { digest: helloDigest, offset: 12n }),
      call(Content, "read", { digest: helloDigest, offset: 13n }),
      call(Content, "read", { digest: helloDigest, offset: -5n, size: 2n }),
      call(Content, "read", { digest: helloDigest, size: -1n }),
      call(Content, "read", { digest: largeDigest, offset: 5n, size: 2_500_000n }),
      call(Content, "read", { digest: largeDigest }),
    ],
  },
  {
    title: "calls name what they miss or dislike",
    steps: [
      ...badDigests.flatMap((digest) => [
        call(Content, "info", { digest }),
        call(Content, "read", { digest }),
        call(Content, "delete", { digest }),
        call(Content, "update", { info: { digest, labels: { a: "b" } } }),
      ]),
      call(Content, "info", { digest: absentDigest }),
      call(Content, "read", { digest: absentDigest }),
      call(Content, "delete", { digest: absentDigest }),
      call(Content, "update", { info: { digest: absentDigest, labels: { a: "b" } } }),
      call(Content, "status", { ref: "absent" }),
      call(Content, "status", { ref: "" }),
      call(Content, "abort", { ref: "absent" }),
      call(Content, "abort", { ref: "" }),
      call(Content, "update", {}),
      ...badFilters.map((filter) => call(Content, "list", { filters: [filter] })),
      ...badFilters.map((filter) => call(Content, "listStatuses", { filters: [filter] })),
      call(Content, "info", { digest: absentDigest }, { namespace: "" }),
      call(Content, "list", {}, { namespace: "" }),
      call(Content, "listStatuses", {}, { namespace: "" }),
      call(Content, "read", { digest: absentDigest }, { namespace: "" }),
      call(Content, "info", { digest: absentDigest }, { namespace: "a b" }),
    ],
  },
  {
    title: "updates follow their masks",
    steps: [
      put(hello),
      call(Content, "update", { info: { digest: helloDigest, labels: { a: "1", b: "2" } } }),
      call(Content, "update", {
        info: { digest: helloDigest, labels: { a: "9", b: "9", c: "3" } },
        updateMask: { paths: ["labels.c", "labels.a"] },
      }),
      call(Content, "update", { info: { digest: helloDigest }, updateMask: { paths: ["labels.a"] } }),
      call(Content, "info", { digest: helloDigest }),
      call(Content, "update", { info: { digest: helloDigest, labels: { z: "1" } }, updateMask: { paths: ["labels"] } }),
      call(Content, "update", { info: { digest: helloDigest, size: 5n }, updateMask: { paths: ["size"] } }),
      call(Content, "update", { info: { digest: helloDigest }, updateMask: { paths: ["digest"] } }),
      call(Content, "update", { info: { digest: helloDigest }, updateMask: { paths: ["labels.z", "nothing"] } }),
      call(Content, "update", { info: { digest: helloDigest }, updateMask: { paths: [""] } }),
      call(Content, "update", { info: { digest: helloDigest, labels: { k: "x".repeat(4096) } } }),
      call(Content, "update", { info: { digest: helloDigest, labels: { "": "x" } } }),
      call(Content, "info", { digest: helloDigest }),
      call(Content, "update", { info: { digest: helloDigest } }),
      call(Content, "list", {}),
    ],
  },
  {
    title: "lists come in blocks of a hundred, in order",
    steps: [
      ...Array.from({ length: 205 }, (_, index) =>
        write([{ ref: `n${index}` }, { action: "COMMIT", data: Buffer.from(`blob ${index}`) }]),
      ),
      call(Content, "list", {}),
      call(Content, "list", { filters: [`digest==${digestOf("blob 7")}`, `digest==${digestOf("blob 9")}`] }),
      call(Content, "list", { filters: ["labels.none"] }),
      onlyLines(/DIGEST|sha256:0/, run(["content", "ls"])),
    ],
  },
  {
    title: "a second writer of a ref is turned away",
    steps: [
      {
        title: "two writers at once",
        run: async (target) => {
          const inner = write([{ ref: "locked" }]);
          const outcomes: unknown[] = [];
          const outer = write([{ ref: "locked" }, { action: "WRITE", data: hello }], {}, async (answered) => {
            if (answered === 1) outcomes.push(await inner.run(target));
          });
          return [outcomes as never, await outer.run(target)];
        },
      },
    ],
  },
]);
