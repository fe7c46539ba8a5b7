import { execa } from "execa";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pythonFolder } from "./folders.ts";
import { checkPython } from "./toolchains.ts";

/** What the Python fixtures import, pinned. */
const requirements = ["grpcio==1.71.0", "grpcio-tools==1.71.0", "protobuf==5.29.4"];

/** Makes `.cache/python`; gives undefined when it is there, else why not. Never throws. */
export async function preparePython(): Promise<string | undefined> {
  const missing = await checkPython();
  if (missing !== undefined) return missing;
  const mark = join(pythonFolder, ".mark");
  const wanted = requirements.join("\n");
  if ((await readFile(mark, "utf8").catch(() => "")) === wanted) return undefined;
  try {
    await rm(pythonFolder, { recursive: true, force: true });
    await execa("python3", ["-m", "venv", pythonFolder], { timeout: 120_000 });
    const pip = ["-m", "pip", "install", "--quiet", "--only-binary=:all:", ...requirements];
    await execa(join(pythonFolder, "bin/python"), pip, { timeout: 300_000 });
    await writeFile(mark, wanted);
    return undefined;
  } catch (error) {
    return `the Python packages of the fixtures could not be installed: ${(error as Error).message.split("\n")[0]}`;
  }
}
