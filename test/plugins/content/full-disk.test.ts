import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { describe, it } from "node:test";
import { mount, unmount } from "#linux";
import { isHostError } from "#proto/wire/errors.ts";
import { LocalStore } from "../../../plugins/content/local-store.ts";
import { skipWithout } from "../../harness/peers.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { digestOf, never, putBlob } from "./blobs.ts";

const mebibyte = 1024 * 1024;

/** A small disk. Owns: its mount and folder. */
async function makeDisk(options: string) {
  const folder = await makeTempFolder("disk");
  mount({ source: "tmpfs", target: folder.path, type: "tmpfs", data: options });
  return {
    folder,
    [Symbol.asyncDispose]: async () => {
      unmount(folder.path);
      await folder[Symbol.asyncDispose]();
    },
  };
}

function isFull(error: unknown): boolean {
  assert.ok(isHostError(error, "resource-exhausted"), String(error));
  assert.match(error.message, /ENOSPC.*free space below the content store's root/);
  return true;
}

describe("a full disk", { skip: skipWithout({ root: true }) }, () => {
  it("is resource-exhausted for a write, and the ingest ends where it did before", async () => {
    await using disk = await makeDisk("size=4m");
    const store = await LocalStore.open(disk.folder.path);
    const bytes = randomBytes(mebibyte);
    let written = 0n;
    {
      await using writer = await store.openWriter("r", 0n, never);
      await assert.rejects(async () => {
        for (;;) {
          await writer.write(bytes);
          written += BigInt(bytes.length);
        }
      }, isFull);
      assert.equal(writer.status.offset, written);
    }
    assert.equal(store.status("r").offset, written);
    assert.deepEqual(await Array.fromAsync(store.list()), []);
    await store.abort("r");
    assert.equal(await putBlob(store, bytes), digestOf(bytes));
  });

  it("leaves nothing of an ingest that could not even begin", async () => {
    await using disk = await makeDisk("size=1m,nr_inodes=12");
    const store = await LocalStore.open(disk.folder.path);
    let opened = 0;
    await assert.rejects(async () => {
      for (;;) {
        await using writer = await store.openWriter(`r${opened}`, 5n, never);
        await writer.write(Buffer.from("x"));
        opened++;
      }
    }, isFull);
    assert.ok(opened > 0);
    assert.equal((await readdir(disk.folder.join("ingest"))).length, opened);
    assert.equal((await store.statuses()).length, opened);
  });
});
