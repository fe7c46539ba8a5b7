import { cp, mkdir, symlink } from "node:fs/promises";
import { execa } from "execa";
import { makeTempFolder } from "../../test/harness/temp-folder.ts";
import { projectFolder } from "../peers/folders.ts";

/** An installed Bulkhead. Disposing removes it. */
export interface Packed extends AsyncDisposable {
  readonly command: string;
  /** Its file of the holder. */
  readonly holder: string;
}

/** What `npm install -g` would put on the machine, with this checkout's dependencies: bundles instead of sources. */
export async function makePacked(): Promise<Packed> {
  await execa("node", ["scripts/build.ts"], { cwd: projectFolder, preferLocal: true, stderr: "inherit" });
  const folder = await makeTempFolder("p");
  await mkdir(folder.join("scripts"));
  for (const name of ["package.json", "scripts/bulkhead", "dist"]) {
    await cp(`${projectFolder}/${name}`, folder.join(name), { recursive: true });
  }
  await symlink(`${projectFolder}/node_modules`, folder.join("node_modules"));
  return {
    command: folder.join("scripts/bulkhead"),
    holder: folder.join("dist/holder.js"),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}
