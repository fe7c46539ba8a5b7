import assert from "node:assert/strict";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { LocalStore } from "../../../plugins/content/local-store.ts";
import { Child } from "../../harness/child.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { digestOf, never } from "./blobs.ts";

const fixture = join(import.meta.dirname, "fixtures/crash-in-commit.ts");
const text = "bytes of a blob";
const digest = digestOf(text);

/** Whether the blob is there afterwards, and else how much of the ingest. */
const steps: readonly (readonly [step: string, left: "blob" | number])[] = [
  ["opened", 0],
  ["written", text.length],
  ["flushed", text.length],
  ["prepared", text.length],
  ["renamed", "blob"],
  ["synced", "blob"],
  ["finished", "blob"],
];

describe("a process killed in a commit", () => {
  for (const [step, left] of steps) {
    it(`when ${step} leaves ${left === "blob" ? "the whole blob" : `an ingest of ${left} bytes`}`, async () => {
      await using folder = await makeTempFolder("crash");
      await using child = new Child(process.execPath, [fixture, folder.path, step, text]);
      assert.equal((await child.waitForExit()).signal, "SIGKILL", child.output.text);

      const store = await LocalStore.open(folder.path);
      assert.equal(store.has(digest), left === "blob");
      const ingests = await store.statuses();
      assert.equal((await readdir(folder.join("ingest"))).length, ingests.length);
      if (left === "blob") {
        assert.deepEqual(ingests, []);
        const path = folder.join("blobs", ...digest.split(":"));
        assert.equal((await stat(path)).mode & 0o777, 0o444);
        assert.equal(store.info(digest).size, BigInt(text.length));
        return;
      }
      assert.deepEqual(
        ingests.map(({ ref, offset, total }) => ({ ref, offset, total })),
        [{ ref: "crash", offset: BigInt(left), total: BigInt(text.length) }],
      );
      await using writer = await store.openWriter("crash", BigInt(text.length), never);
      assert.equal(writer.status.offset, BigInt(left));
      await writer.write(Buffer.from(text.slice(left)));
      await store.commit(writer, { size: BigInt(text.length), expected: digest });
    });
  }
});
