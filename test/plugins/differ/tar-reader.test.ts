import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { describe, test } from "node:test";
import { TarReader, type EntrySink } from "../../../plugins/differ/tar/tar-reader.ts";
import type { TarHeader } from "../../../plugins/differ/tar/header.ts";
import { isHostError } from "#proto/wire/errors.ts";
import { numbersFrom } from "../../differential/chance.ts";
import { scaled } from "../../harness/deadline.ts";
import { mutated } from "./mutation.ts";
import { ruleCases } from "./rule-cases.ts";
import { entryBytes, gnuLong, tarOf } from "./tar-builder.ts";

/** What came of an archive: each entry with its data, and how it ended. */
interface Reading {
  readonly entries: readonly string[];
  readonly end: string;
}

class Collected implements EntrySink {
  readonly entries: string[] = [];
  #header: TarHeader | undefined;
  #content = Buffer.alloc(0);
  #written = 0;

  begin(header: TarHeader): void {
    assert.equal(this.#header, undefined, "an entry begins within another");
    this.#header = header;
    // Of huge holes and files a piece is enough.
    this.#content = Buffer.alloc(Math.min(header.size, 100_000));
    this.#written = 0;
  }

  data(chunk: Buffer, start: number, end: number, position: number): void {
    assert.ok(this.#header !== undefined, "data outside of entries");
    assert.ok(start < end && end <= chunk.length, "data beyond its chunk");
    assert.ok(position + end - start <= this.#header.size, "data beyond the entry's size");
    chunk.copy(this.#content, Math.min(position, this.#content.length), start, end);
    this.#written += end - start;
    assert.ok(this.#written <= this.#header.dataBytes, "more data than there is");
  }

  finish(): void {
    const { name, type, mode, uid, gid, size, linkName, modified, accessed, major, minor } = this.#header ?? {};
    const content = this.#content.toString("latin1");
    this.entries.push(
      JSON.stringify([name, type, mode, uid, gid, size, linkName, modified, accessed, major, minor, content]),
    );
    this.#header = undefined;
  }
}

function read(archive: Buffer, chunkBytes: number): Reading {
  const sink = new Collected();
  const reader = new TarReader(sink, { headerBytes: 100_000 });
  try {
    for (let at = 0; at < archive.length; at += chunkBytes) reader.push(archive.subarray(at, at + chunkBytes));
    reader.finish();
    return { entries: sink.entries, end: "whole" };
  } catch (error) {
    assert.ok(isHostError(error, "unknown") || isHostError(error, "invalid-argument"), String(error));
    return { entries: sink.entries, end: error.message };
  }
}

function nameOf(archive: Buffer): string {
  const [first = "[]"] = read(archive, archive.length).entries;
  return (JSON.parse(first) as string[])[0] ?? "";
}

describe("an archive is read the same however it is cut", () => {
  for (const { title, layer } of ruleCases) {
    test(title, () => {
      const whole = read(layer, Math.max(1, layer.length));
      for (const chunkBytes of [1, 7, 511, 512, 513, 4096]) assert.deepEqual(read(layer, chunkBytes), whole);
    });
  }
});

test("names come from the header, its prefix, PAX and GNU, in this order of weight", () => {
  const plain = { name: "plain", prefix: "pre/fix" };
  assert.equal(nameOf(tarOf([plain])), "pre/fix/plain");
  assert.equal(nameOf(tarOf([{ ...plain, pax: [["path", "from/pax"]] }])), "from/pax");
  assert.equal(nameOf(Buffer.concat([gnuLong("L", "from/gnu"), tarOf([plain])])), "from/gnu");
  const both = Buffer.concat([gnuLong("L", "from/gnu"), tarOf([{ ...plain, pax: [["path", "from/pax"]] }])]);
  assert.equal(nameOf(both), "from/gnu");
  assert.equal(nameOf(tarOf([{ name: "n".repeat(100) }])), "n".repeat(100));
  assert.equal(
    nameOf(tarOf([{ name: "old", form: "v7", patch: (block) => void block.write("no prefix", 345) }])),
    "old",
  );
});

test("of an extended header's repeated key the last counts, and it ends with its entry", () => {
  const archive = tarOf([
    {
      name: "a",
      pax: [
        ["uid", "1"],
        ["uid", "2"],
        ["comment", "nothing"],
      ],
    },
    { name: "b" },
  ]);
  const owners = read(archive, 512).entries.map((entry) => (JSON.parse(entry) as unknown[])[3]);
  assert.deepEqual(owners, [2, 0]);
});

test("old sums of signed bytes are right, too", () => {
  const archive = entryBytes({ name: "caf\xe9\xff" });
  const block = archive.subarray(0, 512);
  let sum = 0;
  for (const [at, byte] of block.entries()) sum += at >= 148 && at < 156 ? 0x20 : (byte << 24) >> 24;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  assert.equal(nameOf(archive), "caf\xe9\xff");
});

/** A seed that is always tried, and a fresh one, printed so that a failure can be seen again. */
for (const seed of [4711, randomInt(2 ** 32)]) {
  test(`damaged archives neither hang nor go beyond themselves, seed ${seed}`, () => {
    const next = numbersFrom(seed);
    for (let round = 0; round < scaled(3000); round++) {
      const base = ruleCases[next(ruleCases.length)]?.layer ?? Buffer.alloc(0);
      if (base.length === 0) continue;
      const archive = mutated(base, next);
      const whole = read(archive, archive.length);
      assert.deepEqual(read(archive, 1 + next(1500)), whole, `round ${round} of seed ${seed}`);
    }
  });
}
