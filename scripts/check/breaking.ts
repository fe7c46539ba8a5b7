/** Compares our own definitions with the last release; says so and goes on where there is none to compare with. */
import { execa } from "execa";
import { projectFolder } from "../peers/folders.ts";

const git = execa({ cwd: projectFolder, reject: false });
const { stdout: tag } = await git`git describe --tags --abbrev=0 --match v*`;
if (tag === "" || tag === undefined) {
  console.error("buf breaking: this clone has no release tag to compare with; skipped");
} else {
  const against = `.git#tag=${tag},subdir=.`;
  const { exitCode } = await execa({
    cwd: projectFolder,
    preferLocal: true,
    stdio: "inherit",
    reject: false,
  })`buf breaking --against ${against}`;
  if (exitCode !== 0) console.error(`buf breaking: a wire definition breaks what ${tag} promised`);
  process.exitCode = exitCode ?? 1;
}
