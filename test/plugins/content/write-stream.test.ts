import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { clientOf, type CallOptions, type Client } from "#rpc";
import {
  Content,
  WriteAction,
  type WriteContentRequestSchema,
} from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { isHostError } from "#proto/wire/errors.ts";
import { codeOf } from "#proto/wire/status.ts";
import { zeroTimeSeconds } from "#proto/wire/timestamp.ts";
import { contentService } from "../../../plugins/content/service.ts";
import { within } from "../../harness/deadline.ts";
import { collect, serveService } from "../serve-service.ts";
import { digestOf, openStore } from "./blobs.ts";

type Request = MessageInitShape<typeof WriteContentRequestSchema>;

const { STAT, WRITE, COMMIT } = WriteAction;
const bytes = (text: string) => Buffer.from(text);

async function openContent() {
  await using stack = new AsyncDisposableStack();
  const { store, folder } = stack.use(await openStore());
  const noMetadata = () => assert.fail("a bare call must not ask metadata");
  const served = stack.use(await serveService(contentService(store, noMetadata, { check: noMetadata })));
  const client = clientOf(Content, served.channel);
  const owned = stack.move();
  return { store, folder, client, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Answers as `action offset total first-eight-of-digest`, the end as "end" or `code message`. */
async function write(client: Client<typeof Content>, requests: readonly Request[], options?: CallOptions) {
  const answers: string[] = [];
  try {
    for await (const { action, offset, total, digest } of client.write(each(requests), options)) {
      answers.push(`${nameOf(action)} ${offset} ${total} ${digest.slice(7, 15)}`);
    }
    answers.push("end");
  } catch (error) {
    assert.ok(isHostError(error), String(error));
    answers.push(`${codeOf(error.kind)} ${error.message}`);
  }
  return answers;
}

function nameOf(action: WriteAction): string {
  const names = Object.entries(WriteAction).find(([, number]) => number === action);
  return names?.[0] ?? String(action);
}

async function* each(requests: readonly Request[]): AsyncGenerator<Request> {
  yield* requests;
}

const empty = "e3b0c442";
const hel = "d6a81f22";
const hello = "2cf24dba";

interface Case {
  readonly title: string;
  /** Each stream's requests and answers, one stream after the other. */
  readonly streams: readonly (readonly [requests: readonly Request[], answers: readonly string[]])[];
}

/** What containerd 1.6.20's bare store answered to the same messages. */
const cases: readonly Case[] = [
  {
    title: "a stream without a message ends as in containerd",
    streams: [[[], ["2 EOF"]]],
  },
  {
    title: "the first message must name a ref",
    streams: [[[{ action: WRITE, data: bytes("abc") }], ["3 first message must have a reference"]]],
  },
  {
    title: "each request is answered once, and the last answer comes again when the client closes its side",
    streams: [
      [
        [{ ref: "r", total: 5n }, {}, { action: WRITE, data: bytes("hel") }],
        [`STAT 0 5 ${empty}`, `STAT 0 5 ${empty}`, `WRITE 3 5 ${hel}`, `WRITE 3 5 ${hel}`, "end"],
      ],
    ],
  },
  {
    title: "an ingest is resumed where it ended, and committed",
    streams: [
      [
        [{ ref: "r" }, { action: WRITE, data: bytes("hel") }],
        [`STAT 0 0 ${empty}`, `WRITE 3 0 ${hel}`, `WRITE 3 0 ${hel}`, "end"],
      ],
      [
        [{ ref: "r" }, { action: WRITE, offset: 3n, data: bytes("lo") }, { action: COMMIT, offset: 5n, total: 5n }],
        [`STAT 3 0 ${hel}`, `WRITE 5 0 ${hello}`, `COMMIT 5 0 ${hello}`, `COMMIT 5 0 ${hello}`, "end"],
      ],
    ],
  },
  {
    title: "an offset must be the current one",
    streams: [
      [
        [
          { ref: "r", action: WRITE, data: bytes("hel") },
          { action: WRITE, offset: 2n, data: bytes("x") },
        ],
        [`WRITE 3 0 ${hel}`, "11 write @2 must occur at current offset 3"],
      ],
      [[{ ref: "n", action: WRITE, offset: 5n, data: bytes("x") }], ["11 write @5 must occur at current offset 0"]],
    ],
  },
  {
    title: "offset 0 throws away what is there, in a commit too, and a negative one counts for nothing",
    streams: [
      [
        [{ ref: "r", action: WRITE, data: bytes("xx") }, { action: WRITE, data: bytes("hel") }, { action: WRITE }],
        ["WRITE 2 0 5dde8968", `WRITE 3 0 ${hel}`, `WRITE 0 0 ${empty}`, `WRITE 0 0 ${empty}`, "end"],
      ],
      [
        [
          { ref: "r", action: WRITE, offset: -1n, data: bytes("hel") },
          { action: COMMIT, total: 3n },
        ],
        [`WRITE 3 0 ${hel}`, "9 unexpected commit size 0, expected 3: failed precondition"],
      ],
    ],
  },
  {
    title: "a total that is announced later counts, and shows at the next STAT",
    streams: [
      [
        [
          { ref: "r", total: 7n },
          { total: 5n },
          { total: -3n },
          { action: WRITE, total: 9n, data: bytes("hello") },
          {},
        ],
        [`STAT 0 7 ${empty}`, `STAT 0 5 ${empty}`, `STAT 0 5 ${empty}`, `WRITE 5 5 ${hello}`].concat(
          [`STAT 5 9 ${hello}`, `STAT 5 9 ${hello}`],
          "end",
        ),
      ],
      [
        [{ ref: "r" }, { action: COMMIT, offset: 5n, total: 9n }],
        [`STAT 5 0 ${hello}`, "9 unexpected commit size 5, expected 9: failed precondition"],
      ],
    ],
  },
  {
    title: "a failed commit leaves the ingest to be resumed",
    streams: [
      [
        [
          { ref: "r", action: WRITE, data: bytes("hello") },
          { action: COMMIT, offset: 5n, expected: "x" },
        ],
        [`WRITE 5 0 ${hello}`, `9 unexpected commit digest ${digestOf("hello")}, expected x: failed precondition`],
      ],
      [
        [{ ref: "r", action: COMMIT, offset: 5n, expected: digestOf("hello") }],
        [`COMMIT 5 0 ${hello}`, `COMMIT 5 0 ${hello}`, "end"],
      ],
    ],
  },
  {
    title: "a stream ends with its commit, whatever follows",
    streams: [
      [
        [{ ref: "r", action: COMMIT, data: bytes("hello") }, {}, {}],
        [`COMMIT 5 0 ${hello}`, `COMMIT 5 0 ${hello}`, "end"],
      ],
    ],
  },
  {
    title: "a blob that is there already is told of at the start, at any later message, and at the commit",
    streams: [
      [[{ ref: "a", action: COMMIT, data: bytes("hello") }], [`COMMIT 5 0 ${hello}`, `COMMIT 5 0 ${hello}`, "end"]],
      [[{ ref: "b", expected: digestOf("hello") }], [`6 content ${digestOf("hello")}: already exists`]],
      [
        [{ ref: "c" }, { action: WRITE, data: bytes("hel"), expected: digestOf("hello") }],
        [`STAT 0 0 ${empty}`, `6 blob with expected digest ${digestOf("hello")} exists`],
      ],
      [[{ ref: "d", action: COMMIT, data: bytes("hello") }], [`6 content ${digestOf("hello")}: already exists`]],
    ],
  },
  {
    title: "an expected digest that is none is refused",
    streams: [
      [
        [{ ref: "r", expected: "x" }],
        [
          "3 calculating expected blob path for writer: cannot calculate blob path from invalid digest: " +
            "invalid checksum digest format: invalid argument",
        ],
      ],
    ],
  },
  {
    title: "an unknown action is answered with what is known, and the ref of later messages is not looked at",
    streams: [
      [
        [{ ref: "r" }, { action: 7 as WriteAction, data: bytes("x"), offset: 9n }, { action: STAT, ref: "other" }],
        [`STAT 0 0 ${empty}`, `7 0 0 ${empty}`, `STAT 0 0 ${empty}`, `STAT 0 0 ${empty}`, "end"],
      ],
    ],
  },
];

describe("a write stream", () => {
  for (const { title, streams } of cases) {
    it(title, async () => {
      await using content = await openContent();
      for (const [requests, answers] of streams) assert.deepEqual(await write(content.client, requests), answers);
    });
  }

  it("shows times only once STAT asked for them", async () => {
    await using content = await openContent();
    const answers = await collect(content.client.write(each([{ ref: "r", action: WRITE, data: bytes("x") }, {}])));
    assert.equal(answers[0]?.startedAt?.seconds, zeroTimeSeconds);
    assert.ok((answers[1]?.startedAt?.seconds ?? 0n) > 0n);
    assert.ok((answers[1]?.updatedAt?.seconds ?? 0n) > 0n);
  });

  it("keeps others from its ref while it is open, and lets go when the client vanishes", async () => {
    await using content = await openContent();
    const gone = new AbortController();
    const more = Promise.withResolvers<void>();
    async function* requests(): AsyncGenerator<Request> {
      yield { ref: "r", action: WRITE, data: bytes("hel") };
      await more.promise;
    }
    const answers = content.client.write(requests(), { signal: gone.signal })[Symbol.asyncIterator]();
    await within("the first answer", answers.next());
    const [refused] = await write(content.client, [{ ref: "r" }]);
    assert.match(refused ?? "", /^14 ref r locked for \d[\d.]*ms \(since .* UTC\): unavailable$/);
    gone.abort(new Error("the client left"));
    more.resolve();
    await assert.rejects(answers.next());
    // The lock is free as soon as the server heard of it; a writer that comes earlier waits for it.
    assert.deepEqual(await within("the ref is free", writeUntilFree(content.client)), [
      `STAT 3 0 ${hel}`,
      `STAT 3 0 ${hel}`,
      "end",
    ]);
  });

  it("answers each of the other calls in containerd's words", async () => {
    await using content = await openContent();
    const { client } = content;
    const digest = digestOf("hello");
    await assert.rejects(client.info({ digest: "x" }), { kind: "invalid-argument", message: '"x" failed validation' });
    await assert.rejects(client.delete({ digest: "sha256:abc" }), {
      kind: "invalid-argument",
      message: "invalid checksum digest length",
    });
    await assert.rejects(collect(client.read({ digest: "md5:abc" })), {
      kind: "invalid-argument",
      message: "md5:abc: unsupported digest algorithm",
    });
    await assert.rejects(client.info({ digest }), { kind: "not-found", message: `content ${digest}: not found` });
    await assert.rejects(client.update({ info: { digest } }), {
      kind: "failed-precondition",
      message: "update not supported on immutable content store: failed precondition",
    });
    await assert.rejects(client.status({ ref: "x" }), (error: Error) => {
      assert.match(
        error.message,
        /^could not get status for ref "x": stat .*\/data: no such file or directory: not found$/,
      );
      return isHostError(error, "not-found");
    });
    await assert.rejects(client.listStatuses({ filters: ["a=="] }), {
      kind: "invalid-argument",
      message: "filters: parse error: [a==]: expected value or quoted: invalid argument",
    });
    await client.abort({ ref: "x" });
    await client.delete({ digest });
  });

  it("lists blobs in blocks of a hundred and filters them by digest, ingests by ref", async () => {
    await using content = await openContent();
    for (let n = 0; n < 101; n++) await write(content.client, [{ ref: "r", action: COMMIT, data: bytes(`${n}`) }]);
    const blocks = await collect(content.client.list({}));
    assert.deepEqual(
      blocks.map(({ info }) => info.length),
      [100, 1],
    );
    assert.equal(blocks[0]?.info[0]?.updatedAt?.seconds, zeroTimeSeconds);
    const [found] = await collect(content.client.list({ filters: [`digest==${digestOf("7")}`] }));
    assert.deepEqual([found?.info.length, found?.info[0]?.size], [1, 1n]);
    for (const ref of ["a", "b"]) await write(content.client, [{ ref }]);
    const { statuses } = await content.client.listStatuses({ filters: ["ref==b"] });
    assert.deepEqual(
      statuses.map(({ ref }) => ref),
      ["b"],
    );
    assert.equal((await content.client.listStatuses({ filters: [""] })).statuses.length, 2);
  });

  it("reads back through the socket what was written in one message of megabytes", async () => {
    await using content = await openContent();
    const big = Buffer.alloc(3 * 1024 * 1024 + 5, 7);
    await write(content.client, [{ ref: "big", action: COMMIT, data: big, expected: digestOf(big) }]);
    const chunks = await collect(content.client.read({ digest: digestOf(big), offset: 1000n }));
    assert.deepEqual(
      chunks.map(({ offset, data }) => [offset, data.length]),
      [
        [0n, 1_048_576],
        [1_048_576n, 1_048_576],
        [2_097_152n, big.length - 1000 - 2 * 1_048_576],
      ],
    );
    assert.ok(chunks.every(({ data }) => data.every((byte) => byte === 7)));
  });
});

async function writeUntilFree(client: Client<typeof Content>): Promise<string[]> {
  for (;;) {
    const answers = await write(client, [{ ref: "r" }]);
    if (answers[0]?.startsWith("14 ") !== true) return answers;
  }
}
