import assert from "node:assert/strict";
import { chmodSync, mkdirSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { makeSocketFolder, packageFolders } from "../../../supervisor/config/socket-folders.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";

const longestName = "p".repeat(32);

describe("the packages' socket folders", () => {
  for (const bytes of [10, 53, 54, 55, 90]) {
    it(`of a state path of ${bytes} bytes leave room for the longest name`, () => {
      const state = `/${"s".repeat(bytes - 1)}`;
      const { socketFolder, hostSocketFolder, shortened } = packageFolders(state, {});
      assert.ok(Buffer.byteLength(join(socketFolder, longestName, "99999999.sock")) < 104);
      assert.ok(Buffer.byteLength(join(hostSocketFolder, `${longestName}.sock`)) < 104);
      assert.equal(shortened === undefined, socketFolder.startsWith(`${state}/`));
      if (bytes <= 54) assert.equal(shortened, undefined);
      else assert.match(shortened ?? "", /is too deep for the packages' sockets .* they are in \//);
    });
  }

  it("are the same for the same state, and others for another", () => {
    const deep = (letter: string): string => packageFolders(`/${letter.repeat(80)}`, {}).socketFolder;
    assert.equal(deep("a"), deep("a"));
    assert.notEqual(deep("a"), deep("b"));
  });

  it("are made 0711, and put right when they are there with another mode", async () => {
    await using folder = await makeTempFolder("sockets");
    const path = folder.join("short/s");
    makeSocketFolder(path);
    assert.equal(statSync(path).mode & 0o777, 0o711);
    chmodSync(folder.join("short"), 0o777);
    makeSocketFolder(path);
    assert.equal(statSync(folder.join("short")).mode & 0o777, 0o711);
  });

  it("are not used when something else is in their place", async () => {
    await using folder = await makeTempFolder("sockets");
    mkdirSync(folder.join("elsewhere"));
    symlinkSync(folder.join("elsewhere"), folder.join("short"));
    assert.throws(() => makeSocketFolder(folder.join("short/s")), /short is not a folder of this user's; remove it/);
  });
});
