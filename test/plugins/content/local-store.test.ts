import assert from "node:assert/strict";
import { hash, randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { parseRfc3339 } from "#proto/wire/rfc3339.ts";
import { readChunkBytes } from "../../../plugins/content/blob-reader.ts";
import { LocalStore } from "../../../plugins/content/local-store.ts";
import { digestOf, never, openStore, putBlob } from "./blobs.ts";

const hello = Buffer.from("hello");

async function readAll(store: LocalStore, digest: string, offset = 0n, size = 0n): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of store.read(digest, { offset, size, room: 3 })) {
    assert.equal(
      chunk.offset,
      parts.reduce((sum, part) => sum + part.length, 0),
    );
    parts.push(Buffer.from(chunk.buffer.subarray(3)));
  }
  return Buffer.concat(parts);
}

describe("the store", () => {
  it("keeps a blob read-only under its algorithm and hex", async () => {
    await using test = await openStore();
    const digest = await putBlob(test.store, hello);
    assert.equal(digest, digestOf("hello"));
    const path = test.folder.join("blobs", "sha256", hash("sha256", "hello"));
    assert.deepEqual(await readFile(path), hello);
    assert.equal((await stat(path)).mode & 0o777, 0o444);
    assert.deepEqual(await readdir(test.folder.join("ingest")), []);
  });

  it("keeps an ingest as containerd does: data, ref, times and total in a folder named by the ref's hash", async () => {
    await using test = await openStore();
    const writer = await test.store.openWriter("a/ref", 9n, never);
    await writer.write(hello);
    await writer[Symbol.asyncDispose]();
    const folder = test.folder.join("ingest", hash("sha256", "a/ref"));
    assert.deepEqual((await readdir(folder)).toSorted(), ["data", "ref", "startedat", "total", "updatedat"]);
    const text = async (name: string) => readFile(`${folder}/${name}`, "utf8");
    assert.equal(await text("data"), "hello");
    assert.equal(await text("ref"), "a/ref");
    assert.equal(await text("total"), "9");
    const started = parseRfc3339(await text("startedat")) ?? 0n;
    const updated = parseRfc3339(await text("updatedat")) ?? 0n;
    assert.ok(started > 0n && updated >= started);
    assert.deepEqual(test.store.status("a/ref"), {
      ref: "a/ref",
      startedAt: started,
      updatedAt: updated,
      total: 9n,
      offset: 5n,
    });
  });

  it("resumes an ingest with its digest worked out from the disk", async () => {
    await using test = await openStore();
    const bytes = randomBytes(3 * 1024 * 1024 + 7);
    await using first = await test.store.openWriter("r", 0n, never);
    await first.write(bytes);
    await first[Symbol.asyncDispose]();
    const reopened = await LocalStore.open(test.folder.path);
    await using second = await reopened.openWriter("r", 0n, never);
    assert.equal(second.status.offset, BigInt(bytes.length));
    assert.equal(second.digest, digestOf(bytes));
    await second.write(hello);
    await reopened.commit(second, { size: 0n, expected: digestOf(Buffer.concat([bytes, hello])) });
  });

  it("starts an ingest anew when another total is announced", async () => {
    await using test = await openStore();
    await using first = await test.store.openWriter("r", 7n, never);
    await first.write(hello);
    await first[Symbol.asyncDispose]();
    await using second = await test.store.openWriter("r", 6n, never);
    assert.deepEqual([second.status.offset, second.digest], [0n, digestOf("")]);
    assert.equal(test.store.status("r").offset, 0n);
    assert.equal(test.store.status("r").total, 6n);
  });

  it("reads from any offset, in chunks of 1 MiB, and counts them from the start of the read", async () => {
    await using test = await openStore();
    const bytes = randomBytes(2 * readChunkBytes + 100);
    const digest = await putBlob(test.store, bytes);
    const cases = [
      [0n, 0n],
      [-3n, -1n],
      [5n, 10n],
      [5n, 100_000n],
      [5n, BigInt(bytes.length)],
      [BigInt(readChunkBytes), 0n],
      [BigInt(bytes.length), 0n],
      [0n, BigInt(2 * readChunkBytes)],
    ] as const;
    for (const [offset, size] of cases) {
      const from = Math.max(0, Number(offset));
      const to = size > 0n ? from + Number(size) : bytes.length;
      assert.deepEqual(await readAll(test.store, digest, offset, size), bytes.subarray(from, to), `${offset} ${size}`);
    }
    await assert.rejects(readAll(test.store, digest, BigInt(bytes.length + 1)), {
      kind: "out-of-range",
      message: `read past object length ${bytes.length} bytes`,
    });
  });

  it("closes the file when a reader stops early", async () => {
    await using test = await openStore();
    const digest = await putBlob(test.store, randomBytes(4 * readChunkBytes));
    const before = (await readdir("/proc/self/fd")).length;
    for (let n = 0; n < 5; n++) {
      for await (const chunk of test.store.read(digest, { offset: 0n, size: 0n, room: 0 })) {
        assert.equal(chunk.offset, 0);
        break;
      }
    }
    assert.equal((await readdir("/proc/self/fd")).length, before);
  });

  it("says what it lacks in containerd's words", async () => {
    await using test = await openStore();
    const digest = digestOf("absent");
    assert.throws(() => test.store.info(digest), { kind: "not-found", message: `content ${digest}: not found` });
    await assert.rejects(readAll(test.store, digest), { kind: "not-found", message: `content ${digest}: not found` });
    await test.store.delete(digest);
    await test.store.abort("absent");
    assert.throws(() => test.store.status("absent"), { kind: "not-found" });
  });

  it("refuses a commit of another size or digest and keeps the ingest", async () => {
    await using test = await openStore();
    await using writer = await test.store.openWriter("r", 0n, never);
    await writer.write(hello);
    await assert.rejects(test.store.commit(writer, { size: 6n, expected: "" }), {
      kind: "failed-precondition",
      message: "unexpected commit size 5, expected 6: failed precondition",
    });
    const expected = digestOf("x");
    await assert.rejects(test.store.commit(writer, { size: 5n, expected }), {
      kind: "failed-precondition",
      message: `unexpected commit digest ${digestOf("hello")}, expected ${expected}: failed precondition`,
    });
    await test.store.commit(writer, { size: 5n, expected: digestOf("hello") });
  });

  it("removes the ingest of a blob that it has", async () => {
    await using test = await openStore();
    await putBlob(test.store, hello, "first");
    const message = `content ${digestOf("hello")}: already exists`;
    await assert.rejects(putBlob(test.store, hello, "second"), { kind: "already-exists", message });
    assert.deepEqual(await test.store.statuses(), []);
  });

  it("lets one of many commits of the same bytes win", async () => {
    await using test = await openStore();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, (_, n) => putBlob(test.store, hello, `ref ${n}`)),
    );
    assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 1);
    assert.equal(test.store.info(digestOf("hello")).size, 5n);
    assert.deepEqual(await readdir(test.folder.join("ingest")), []);
  });

  it("cannot commit an ingest that was aborted meanwhile", async () => {
    await using test = await openStore();
    await using writer = await test.store.openWriter("r", 0n, never);
    await writer.write(hello);
    await test.store.abort("r");
    await assert.rejects(test.store.commit(writer, { size: 0n, expected: "" }), /commit ingest "r"/);
    assert.equal(test.store.has(digestOf("hello")), false);
  });

  it("sweeps ingests without data at the start and leaves the others", async () => {
    await using test = await openStore();
    await using writer = await test.store.openWriter("kept", 0n, never);
    await writer.write(hello);
    await writer[Symbol.asyncDispose]();
    const leftover = test.folder.join("ingest", "0".repeat(64));
    await mkdir(leftover);
    await writeFile(`${leftover}/ref`, "committed");
    await mkdir(test.folder.join("ingest", "1".repeat(64)));
    const reopened = await LocalStore.open(test.folder.path);
    assert.deepEqual(await readdir(test.folder.join("ingest")), [hash("sha256", "kept")]);
    assert.equal(reopened.status("kept").offset, 5n);
  });

  it("lists blobs in order and leaves out what is none", async () => {
    await using test = await openStore();
    const digests = [];
    for (const text of ["a", "b", "c"]) digests.push(await putBlob(test.store, Buffer.from(text)));
    await writeFile(test.folder.join("blobs", "sha256", "junk"), "");
    await mkdir(test.folder.join("blobs", "md5"));
    const listed = await Array.fromAsync(test.store.list());
    assert.deepEqual(
      listed.map(({ digest }) => digest),
      digests.toSorted(),
    );
  });
});
