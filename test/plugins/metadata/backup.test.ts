import assert from "node:assert/strict";
import { copyFile, readdir, stat, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { Metadata } from "#proto/gen/bulkhead/metadata/v1/metadata_pb.ts";
import { isHostError } from "#proto/wire/errors.ts";
import { openDatabase } from "../../../plugins/metadata/database/open.ts";
import { tables } from "../../../plugins/metadata/database/tables.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { startMetadata } from "./metadata-server.ts";

const quiet = { maxBytes: 2 ** 30, publish: () => Promise.resolve() };

test("a backup taken while writes go on opens as the database of one moment", async () => {
  await using folder = await makeTempFolder("md");
  await using metadata = await startMetadata(folder.path);
  const { database } = metadata;
  let writing = true;
  const writer = (async () => {
    for (let n = 0; writing; n++) {
      await database.write((tx) => {
        for (const side of ["left", "right"]) tx.put(tables.namespace, [`${side}${n}`], { name: `${side}${n}` });
      });
    }
  })();
  for (let n = 0; n < 50; n++) await database.write((tx) => tx.put(tables.namespace, [`b${n}`], { name: `b${n}` }));
  const file = folder.join("backup");
  const { bytes } = await metadata.client(Metadata).backup({ file });
  writing = false;
  await writer;
  assert.equal(bytes, BigInt((await stat(file)).size));

  await using restored = await makeTempFolder("md");
  await copyFile(file, restored.join("meta.lmdb"));
  await using copy = await openDatabase(restored.path, quiet);
  const names = Array.from(copy.range(tables.namespace, []), ({ value }) => value.name);
  assert.equal(names.filter((name) => name.startsWith("b")).length, 50);
  const half = names.filter((name) => name.startsWith("left") && !names.includes(name.replace("left", "right")));
  assert.deepEqual(half, []);
});

test("a backup overwrites nothing, wants an absolute path, and leaves no half file", async () => {
  await using folder = await makeTempFolder("md");
  await using metadata = await startMetadata(folder.path);
  const client = metadata.client(Metadata);
  await writeFile(folder.join("there"), "precious");
  await assert.rejects(client.backup({ file: folder.join("there") }), (error) => isHostError(error, "already-exists"));
  await assert.rejects(client.backup({ file: "relative" }), (error) => isHostError(error, "invalid-argument"));
  const missing = folder.join("no", "such", "folder", "file");
  await assert.rejects(client.backup({ file: missing }), (error) => isHostError(error));
  const left = await readdir(folder.path, { recursive: true });
  assert.deepEqual(
    left.filter((name) => name.includes("partial")),
    [],
  );
});
