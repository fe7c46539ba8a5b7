import { createWriteStream } from "node:fs";
import { readdir, lstat, writeFile } from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { execa } from "execa";
import { entryBytes } from "../../test/plugins/differ/tar-builder.ts";

/** Of each layer of the image, uncompressed. */
const layerBytes = 100 * 1024 ** 2;
/** One a layer; the first that are there. */
const sources = [["/usr/lib"], ["/usr/share"], ["/usr/bin", "/usr/libexec"]];

const smallFiles = 60_000;
const filesPerFolder = 100;
const smallestBytes = 100;
const spreadBytes = 4000;

/** Three gzip layers out of this machine's /usr, as an image of it would have; gives their paths. */
export async function makeImageLayers(folder: string): Promise<string[]> {
  const made: string[] = [];
  for (const [index, roots] of sources.entries()) {
    const names = await someFiles(roots, layerBytes);
    const list = join(folder, `layer-${index}.list`);
    const file = join(folder, `layer-${index}.tar.gz`);
    await writeFile(list, names.map((name) => `${name.slice(1)}\0`).join(""));
    await execa("tar", ["-C", "/", "--null", "--no-recursion", "-T", list, "-czf", file], { env: { LC_ALL: "C" } });
    made.push(file);
  }
  return made;
}

/** Files and links below some folders, in order of their paths, up to that many bytes. */
async function someFiles(roots: readonly string[], bytes: number): Promise<string[]> {
  const found: string[] = [];
  let sum = 0;
  for (const root of roots) {
    const entries = await readdir(root, { recursive: true, withFileTypes: true });
    const names = entries.filter((each) => each.isFile() || each.isSymbolicLink());
    for (const name of names.map((each) => join(each.parentPath, each.name)).toSorted()) {
      const { size } = await lstat(name);
      if (sum + size > bytes) continue;
      sum += size;
      found.push(name);
    }
  }
  return found;
}

/** One gzip layer of 60,000 files of a few hundred to a few thousand bytes that do not compress. */
export async function makeSmallFilesLayer(folder: string): Promise<string> {
  const file = join(folder, "small.tar.gz");
  await pipeline(smallEntries(), createGzip(), createWriteStream(file));
  return file;
}

function* smallEntries(): Generator<Buffer> {
  for (let index = 0; index < smallFiles; index++) {
    const name = `folder-${Math.floor(index / filesPerFolder)}`;
    if (index % filesPerFolder === 0) yield entryBytes({ name: `${name}/`, type: "5", mode: 0o755 });
    const data = randomBytes(smallestBytes + ((index * 7919) % spreadBytes));
    yield entryBytes({ name: `${name}/file-${index}`, data });
  }
  yield Buffer.alloc(1024);
}
