import { execa } from "execa";
import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder, projectFolder } from "./folders.ts";

/** Of all crates together; kept, since a cold build takes a minute. */
const target = join(cacheFolder, "rust-fixtures");
const buildMs = 900_000;

/** Builds the crate `test/fixtures/rust/<crate>` into `<folder>/bin/<crate>`. */
export async function buildRust(crate: string, folder: string): Promise<void> {
  const cwd = join(projectFolder, "test/fixtures/rust", crate);
  await execa("cargo", ["build", "--locked", "--quiet"], { cwd, timeout: buildMs, env: { CARGO_TARGET_DIR: target } });
  await mkdir(join(folder, "bin"), { recursive: true });
  await copyFile(join(target, "debug", crate), join(folder, "bin", crate));
}
