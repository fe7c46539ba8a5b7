/**
 * Makes `dist/` for the packed tarball: JavaScript, one file a process, since Node strips no types below
 * node_modules. Run by `npm pack`. What has native parts or is loaded by name at run time stays outside.
 */
import { cp, glob, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { build, type BuildOptions } from "esbuild";
import manifest from "../package.json" with { type: "json" };
import { readRevision } from "../supervisor/version.ts";
import { projectFolder } from "./peers/folders.ts";

const dist = join(projectFolder, "dist");

/**
 * One bundle each: nothing of one process is loaded by another. What a process loads late stays in a file of its
 * own, and with it what that imports: node:http alone takes 20 ms.
 */
const processes = {
  holder: "supervisor/holder/main.ts",
  router: "supervisor/router/main.ts",
  control: "supervisor/control.ts",
  cli: "supervisor/main.ts",
  linux: "plugin-host/linux/index.ts",
};
/** These share modules at run time: a plugin's errors must be plugin-host's own classes. */
const host = { "plugin-host": "plugin-host/main.ts", plugin: "plugin-host/index.ts" };
/** Threads of packages, started by name from code that several packages share, which lands beside them. */
const threads = { "tree-worker": "plugins/shared/trees/tree-worker.ts" };

const common: BuildOptions = {
  absWorkingDir: projectFolder,
  outdir: dist,
  bundle: true,
  platform: "node",
  target: "node24",
  format: "esm",
  external: ["koffi", "lmdb", "winston", "#linux"],
  // Libraries in CommonJS call `require` for Node's own modules.
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  },
  legalComments: "none",
  logLevel: "warning",
};

await rm(dist, { recursive: true, force: true });
await mkdir(dist, { recursive: true });
const plugins = await findPlugins();
await Promise.all([
  ...Object.entries(processes).map(([name, file]) =>
    build({ ...common, entryPoints: { [name]: file }, splitting: true, chunkNames: `${name}-[hash]` }),
  ),
  build({
    ...common,
    entryPoints: {
      ...host,
      ...threads,
      ...Object.fromEntries((await pluginEntries()).map((entry) => [entry, `${entry}.ts`])),
    },
    splitting: true,
    chunkNames: "shared-[hash]",
    alias: { "bulkhead/plugin": join(projectFolder, "plugin-host/index.ts") },
  }),
  ...plugins.map(copyPackage),
]);
await writeScope();

async function findPlugins(): Promise<string[]> {
  const found: string[] = [];
  for await (const file of glob("plugins/*/plugin.yaml", { cwd: projectFolder })) found.push(basename(dirname(file)));
  return found.sort();
}

/** Without their ending: the main module of each package, and that of its threads where it has some. */
async function pluginEntries(): Promise<string[]> {
  const found: string[] = [];
  for await (const file of glob("plugins/*/{index,worker}.ts", { cwd: projectFolder })) found.push(file.slice(0, -3));
  return found.sort();
}

/** Everything of a package but its sources; its manifest names the bundle. */
async function copyPackage(id: string): Promise<void> {
  const from = join(projectFolder, "plugins", id);
  const to = join(dist, "plugins", id);
  await cp(from, to, { recursive: true, filter: (path) => !path.endsWith(".ts") });
  const file = join(to, "plugin.yaml");
  const text = await readFile(file, "utf8");
  if (!/^main: index\.ts$/m.test(text)) throw new Error(`${id}/plugin.yaml has no line "main: index.ts"`);
  await writeFile(file, text.replace(/^main: index\.ts$/m, "main: index.js"));
}

/** `#linux` below `dist/` is the bundle beside it, whatever the project's own package.json says; the commit it is of. */
async function writeScope(): Promise<void> {
  const scope = { type: "module", version: manifest.version, private: true, imports: { "#linux": "./linux.js" } };
  await writeFile(join(dist, "package.json"), `${JSON.stringify(scope, null, 2)}\n`);
  await writeFile(join(dist, "revision"), `${readRevision()}\n`);
}
