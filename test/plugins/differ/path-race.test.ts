import assert from "node:assert/strict";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { LayerWriter } from "../../../plugins/differ/apply/layer-writer.ts";
import { TarReader } from "../../../plugins/differ/tar/tar-reader.ts";
import { isLinuxError } from "#linux";
import { isHostError } from "#proto/wire/errors.ts";
import { scaled } from "../../harness/deadline.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { tarOf } from "./tar-builder.ts";

const limits = {
  headerBytes: 1_000_000,
  nameBytes: 4096,
  entries: 1000,
  ratio: 500,
  ratioFromBytes: 2 ** 30,
  keepFreeBytes: 0,
};

/** Says that it runs, and then makes a folder and a symlink take turns at one name until it is killed. */
const swapper = `
  const fs = require("node:fs");
  const [root, outside] = process.argv.slice(1);
  process.chdir(root);
  fs.symlinkSync(outside, "link");
  fs.mkdirSync("folder");
  console.log("running");
  for (;;) {
    for (const name of ["link", "folder"]) {
      try { fs.renameSync(name, "d"); fs.renameSync("d", name); } catch {}
    }
  }
`;

test("nothing outside is touched while folders and links swap below the writer", async () => {
  await using folder = await makeTempFolder("r");
  const [root, outside] = [folder.join("root"), folder.join("outside")];
  for (const path of [root, outside]) mkdirSync(path);
  writeFileSync(`${outside}/precious`, "as it was");
  const child = spawn(process.execPath, ["-e", swapper, root, outside], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    await once(child.stdout, "data");
    const layer = tarOf([
      { name: "d/planted", data: "x" },
      { name: "d/folder/", type: "5" },
      { name: "d/folder/planted", data: "x" },
      { name: "d/.wh.precious" },
      { name: "d/precious", data: "overwritten" },
      { name: "linked", type: "1", link: "d/precious" },
      { name: "d/.wh..wh..opq" },
    ]);
    let done = 0;
    for (let round = 0; round < scaled(2000); round++) {
      using writer = new LayerWriter({ root, overlay: false, lowers: [] }, limits, () => {});
      const reader = new TarReader(writer, limits);
      try {
        reader.push(layer);
        writer.end({ sync: false });
        done++;
      } catch (error) {
        assert.ok(isLinuxError(error) || isHostError(error), String(error));
      }
    }
    assert.ok(done > 0);
  } finally {
    child.kill("SIGKILL");
    await once(child, "close");
  }
  assert.deepEqual(readdirSync(outside), ["precious"]);
});
