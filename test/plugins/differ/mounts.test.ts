import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { mountFlags } from "#linux";
import { parseOptions } from "../../../plugins/differ/mounts/mount-options.ts";
import { boundFolder, overlayFolders, readonlyMounts } from "../../../plugins/differ/mounts/overlay.ts";
import { sweepFolder, sweepOtherGenerations, TempMount } from "../../../plugins/differ/mounts/temp-mount.ts";
import { skipWithout } from "../../harness/peers.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { tempMountsOf } from "./stalled-apply.ts";

const { bind, recursive, readonly, nosuid, noatime, slave } = mountFlags;

test("options become flags, propagation and data, later ones over earlier ones", () => {
  const cases: readonly [readonly string[], number, number, readonly string[]][] = [
    [[], 0, 0, []],
    [["rbind", "ro"], bind | recursive | readonly, 0, []],
    [["ro", "rw"], 0, 0, []],
    [["nosuid", "noatime", "suid"], noatime, 0, []],
    [["bind", "rslave", "nosuid"], bind | nosuid, slave | recursive, []],
    [["subvolid=5", "ro", "index=off"], readonly, 0, ["subvolid=5", "index=off"]],
    [["toString", "constructor"], 0, 0, ["toString", "constructor"]],
  ];
  for (const [options, flags, propagation, data] of cases) {
    assert.deepEqual(parseOptions(options), { flags, propagation, data }, options.join());
  }
});

const overlay = { type: "overlay", source: "overlay", options: ["workdir=/w", "upperdir=/u", "lowerdir=/a:/b"] };

test("only one overlay with an upper folder, or one writable folder bound whole, is written without a mount", () => {
  assert.deepEqual(overlayFolders([overlay]), { upper: "/u", lowers: ["/a", "/b"] });
  assert.equal(overlayFolders([overlay, overlay]), undefined);
  assert.equal(overlayFolders([{ ...overlay, options: ["lowerdir=/a:/b"] }]), undefined);
  assert.equal(overlayFolders([{ ...overlay, type: "bind" }]), undefined);
  const bound = (options: string[], source = "/s") => [{ type: "bind", source, options }];
  for (const [options, writable, readable] of [
    [["rbind", "rw"], "/s", "/s"],
    [["rbind"], "/s", "/s"],
    [["rbind", "ro"], undefined, "/s"],
    [["bind", "rw"], undefined, undefined],
    [["rbind", "nosuid"], undefined, undefined],
  ] as const) {
    assert.equal(boundFolder(bound([...options]), "writable"), writable, options.join());
    assert.equal(boundFolder(bound([...options]), "readable"), readable, options.join());
  }
  assert.equal(boundFolder(bound(["rbind", "rw"], "relative"), "writable"), undefined);
  assert.equal(boundFolder([...bound(["rbind"]), ...bound(["rbind"])], "readable"), undefined);
});

test("a tree is shown without a way to change it", () => {
  assert.deepEqual(readonlyMounts([overlay])[0]?.options, ["lowerdir=/u:/a:/b"]);
  const view = { ...overlay, options: ["index=off", "lowerdir=/a:/b"] };
  assert.deepEqual(readonlyMounts([view]), [view]);
  const bound = { type: "bind", source: "/s", options: ["rw", "rbind"] };
  assert.deepEqual(readonlyMounts([bound])[0]?.options, ["rbind", "ro"]);
});

test("mounts are gone with their folder, those of other generations are swept, and contents are never removed", {
  skip: skipWithout({ root: true }),
}, async () => {
  await using folder = await makeTempFolder("m");
  const [source, base] = [folder.join("source"), folder.join("tmpmounts")];
  mkdirSync(source);
  writeFileSync(`${source}/kept`, "x");
  const bound = { type: "bind", source, options: ["bind", "ro"] };
  {
    // Two on one path, the second only to be read.
    using temp = new TempMount(`${base}/differ-2/job-1`, [{ ...bound, options: ["bind"] }, bound]);
    assert.deepEqual(readdirSync(temp.path), ["kept"]);
    assert.throws(() => writeFileSync(`${temp.path}/new`, ""), { code: "EROFS" });
  }
  assert.deepEqual(tempMountsOf(folder.path), []);
  assert.throws(() => new TempMount(`${base}/differ-2/job-1`, [bound, { ...bound, source: "/nonexistent" }]), {
    code: "ENOENT",
  });
  assert.deepEqual(readdirSync(`${base}/differ-2/job-1`), []);
  void new TempMount(`${base}/differ-1/job-1`, [bound]); // its generation has died
  void new TempMount(`${base}/other-1/job-1`, [bound]);
  assert.deepEqual(sweepOtherGenerations(base, "differ", "differ-2"), []);
  assert.deepEqual(readdirSync(base).toSorted(), ["differ-2", "other-1"]);
  assert.equal(tempMountsOf(folder.path).length, 1);
  assert.deepEqual([...sweepFolder(`${base}/other-1`), ...sweepFolder(`${base}/differ-2`)], []);
  mkdirSync(`${base}/differ-3`);
  writeFileSync(`${base}/differ-3/file`, "somebody's");
  assert.equal(sweepFolder(`${base}/differ-3`).length > 0, true);
  assert.ok(existsSync(`${base}/differ-3/file`) && existsSync(`${source}/kept`));
});
