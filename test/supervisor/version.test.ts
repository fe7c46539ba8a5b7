import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { readRevision } from "../../supervisor/version.ts";
import { makeTempFolder } from "../harness/temp-folder.ts";

const commit = "0123456789abcdef0123456789abcdef01234567";

test("the revision is the commit of a checkout, a branch packed or not, and of a worktree", async () => {
  await using folder = await makeTempFolder("v");
  const git = folder.join("main/.git");
  await mkdir(`${git}/refs/heads`, { recursive: true });
  await mkdir(`${git}/worktrees/side`, { recursive: true });
  await mkdir(folder.join("side"));
  await writeFile(`${git}/HEAD`, `${commit}\n`);
  assert.equal(readRevision(folder.join("main")), commit, "a detached head");

  await writeFile(`${git}/HEAD`, "ref: refs/heads/one\n");
  await writeFile(`${git}/packed-refs`, `# pack-refs with: peeled\n${commit} refs/heads/one\n`);
  assert.equal(readRevision(folder.join("main")), commit, "a packed branch");

  const newer = commit.replace("0", "f");
  await writeFile(`${git}/refs/heads/one`, `${newer}\n`);
  assert.equal(readRevision(folder.join("main")), newer, "a loose branch wins");

  await writeFile(folder.join("side/.git"), `gitdir: ${git}/worktrees/side\n`);
  await writeFile(`${git}/worktrees/side/HEAD`, "ref: refs/heads/one\n");
  await writeFile(`${git}/worktrees/side/commondir`, "../..\n");
  assert.equal(readRevision(folder.join("side")), newer, "a worktree");
  assert.equal(readRevision(folder.path), "", "no checkout");
});
