import { Content } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { Containers } from "#proto/gen/containerd/services/containers/v1/containers_pb.ts";
import { Events } from "#proto/gen/containerd/services/events/v1/events_pb.ts";
import { Images } from "#proto/gen/containerd/services/images/v1/images_pb.ts";
import { Namespaces } from "#proto/gen/containerd/services/namespaces/v1/namespaces_pb.ts";
import { scaled } from "../harness/deadline.ts";
import { digestOf } from "./blobs.ts";
import { numbersFrom, textsOf } from "./chance.ts";
import { compareCases } from "./compare.ts";
import { call, type Step } from "./steps.ts";
import { write, type WriteMessage } from "./writes.ts";

/** Inputs that nobody thought of: pieces of the grammars put together by chance, the same on each run. */

const count = scaled(400);
const seed = Number(process.env["BULKHEAD_TEST_SEED"] ?? "1");
const target = { mediaType: "x/y", digest: digestOf("manifest"), size: 8n };

const filterWords = [
  "name",
  "labels",
  "labels.a",
  "id",
  "x",
  "1",
  "_",
  "a-b",
  ".",
  ".",
  "==",
  "!=",
  "~=",
  "=",
  "!",
  "~",
  ",",
  ",",
  " ",
  '"',
  '"x"',
  '"a.b/c"',
  "/",
  "/^x/",
  "|",
  "|x|",
  "\\",
  '"\\d"',
  '"\\x78"',
  '"\\170"',
  '"\\u0078"',
  '"\\n"',
  "'",
  "ü",
  "\t",
  "\n",
  "(",
  "[x",
  "x*",
  "",
  "\u00a0",
  "\u2028",
  "\0",
  "😀",
];
const digestWords = [
  "sha256",
  "sha512",
  "sha384",
  "md5",
  "SHA256",
  ":",
  ":",
  "+",
  "-",
  ".",
  "_",
  "a".repeat(64),
  "0".repeat(64),
  "0".repeat(128),
  "0".repeat(96),
  "A".repeat(64),
  "g",
  "0",
  " ",
  "/",
  "..",
  "ü",
  "",
];
const nameWords = ["a", "Z", "9", "-", "_", ".", "a".repeat(30), "/", " ", "ü", "é", "\n", "\0", "", "--", "😀"];
const topicWords = ["/", "/", "a", "b-c", "d_e", ".", "..", "-", " ", "ü", "", "?", "a".repeat(40)];
const maskWords = [
  "labels",
  "labels.",
  "labels.a",
  "target",
  "annotations",
  "annotations.x",
  "name",
  ".",
  "",
  "a",
  " ",
  "Labels",
  "target.digest",
];
const containerMaskWords = [
  "labels",
  "labels.a",
  "spec",
  "image",
  "extensions",
  "extensions.e",
  "snapshotkey",
  "snapshotter",
  "runtime",
  "id",
  ".",
  "",
  "x",
];
const container = {
  id: "c",
  runtime: { name: "r" },
  spec: { typeUrl: "t", value: Buffer.from("{}") },
  labels: { a: "1" },
};

const pieces = ["", "abc", "de", "abcde"].map((text) => Buffer.from(text));
const writtenDigests = ["abc", "abcde", "abcabc", "de", ""].map(digestOf);

/** Streams of up to five messages to four refs in two namespaces, with calls about those in between. */
function uploads(times: number): Step[] {
  const next = numbersFrom(seed + 8);
  const any = <T>(list: readonly T[]): T => list[next(list.length)] as T;
  const message = (): WriteMessage => {
    const action = any(["STAT", "WRITE", "WRITE", "WRITE", "COMMIT"] as const);
    return {
      action,
      offset: any([0, 0, 0, 2, 3, 5, 6, 8]),
      // One total alone: stock keeps the old bytes of an ingest that starts anew with another.
      total: any([0, 0, 0, 5]),
      expected: any(["", "", "", "", ...writtenDigests]),
      data: action === "STAT" ? Buffer.alloc(0) : any(pieces),
      ...(next(8) === 0 && { labels: { l: any(["", "1"]) } }),
    };
  };
  return Array.from({ length: times }, (): Step[] => {
    const ref = any(["r0", "r1", "r2", "a/b c"]);
    const scope = next(3) === 0 ? { namespace: "chance-other" } : {};
    const digest = any(writtenDigests);
    switch (next(8)) {
      case 0:
        return [call(Content, "status", { ref }, scope)];
      case 1:
        return [call(Content, "abort", { ref }, scope)];
      case 2:
        return [call(Content, "delete", { digest }, scope), call(Content, "list", {}, scope)];
      case 3:
        return [call(Content, "info", { digest }, scope), call(Content, "read", { digest }, scope)];
      default:
        return [
          // Of an ingest that is there stock hashes the old bytes, too, when a blob of the other namespace is offered.
          write([{ ...message(), ref, expected: "" }, ...Array.from({ length: next(5) }, message)], scope),
          call(Content, "listStatuses", {}, scope),
        ];
    }
  }).flat();
}

compareCases("chance", [
  { title: "uploads", steps: uploads(count / 2) },
  {
    title: "filters",
    steps: [
      ...["x", "name", "y/x"].map((name, index) =>
        call(Images, "create", { image: { name, target, labels: { a: String(index), "a.b/c": "x" } } }),
      ),
      ...textsOf(filterWords, 6, count, seed).map((filter) => call(Images, "list", { filters: [filter] })),
      ...textsOf(filterWords, 4, count, seed + 1).map((value) => call(Images, "list", { filters: [`name==${value}`] })),
      ...textsOf(filterWords, 4, count, seed + 2).map((value) => call(Images, "list", { filters: [`name~=${value}`] })),
    ],
  },
  {
    title: "digests",
    steps: textsOf(digestWords, 4, count, seed + 3).flatMap((digest) => [
      call(Content, "info", { digest }),
      call(Images, "create", { image: { name: digest, target: { ...target, digest } } }),
    ]),
  },
  {
    title: "names and topics",
    steps: [
      ...textsOf(nameWords, 5, count, seed + 4).flatMap((name) => [
        call(Namespaces, "create", { namespace: { name } }),
        call(Containers, "get", { id: name }),
      ]),
      ...textsOf(topicWords, 6, count, seed + 5).map((topic) =>
        call(Events, "publish", { topic, event: { typeUrl: "x.Y", value: new Uint8Array() } }),
      ),
    ],
  },
  {
    title: "masks",
    steps: [
      call(Images, "create", { image: { name: "m", target, labels: { a: "1" } } }),
      call(Containers, "create", { container }),
      ...textsOf(maskWords, 2, count / 2, seed + 6).map((path, index) =>
        call(Images, "update", {
          image: { name: "m", target: { ...target, annotations: { x: String(index) } }, labels: { a: String(index) } },
          updateMask: { paths: [path] },
        }),
      ),
      ...textsOf(containerMaskWords, 2, count / 2, seed + 7).map((path, index) =>
        call(Containers, "update", {
          container: { ...container, labels: { a: String(index) }, image: `i${index}` },
          updateMask: { paths: [path, "labels.a"] },
        }),
      ),
    ],
  },
]);
