/**
 * `npm test [-- PATH...]`: prepares peers, runs every test file below `test/` (or those given), one process a
 * file, and prints the ten slowest and the counts. Exit code 1 when a test failed or none was found.
 */
import { mkdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join, relative } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { pathToFileURL } from "node:url";
import { preparePeers } from "./peers.ts";
import { cacheFolder, projectFolder } from "./peers/folders.ts";
import { findTestFiles } from "./test/find-files.ts";
import { Tally } from "./test/tally.ts";

/** No test file may take longer. */
const fileLimitMs = 10 * 60_000;

const files = await findTestFiles(process.argv.slice(2));
if (files.length === 0) {
  console.error(`no test file found${process.argv.length > 2 ? ` for ${process.argv.slice(2).join(" ")}` : ""}`);
  process.exit(1);
}
process.env["BULKHEAD_TEST_SCALE"] ??= "1";
process.env["PATH"] = `${join(projectFolder, "node_modules/.bin")}:${process.env["PATH"] ?? ""}`;
process.env["NODE_COMPILE_CACHE"] ??= join(cacheFolder, "compile");
await mkdir(cacheFolder, { recursive: true });
const peers = await preparePeers((text) => console.error(text));
const absent = Object.entries(peers).filter(([, reason]) => reason !== null);
if (absent.length > 0)
  console.error(`absent peers, whose tests are skipped: ${absent.map(([name]) => name).join(", ")}`);

const tally = new Tally();
const stream = run({
  files: [...files],
  concurrency: Math.max(1, availableParallelism()),
  isolation: "process",
  timeout: fileLimitMs,
  cwd: projectFolder,
});
stream.on("test:summary", (summary) => tally.add(summary));
const report = stream.compose(spec);
for await (const text of report) process.stdout.write(text as string);
const lines = tally.report((file) =>
  relative(projectFolder, file.startsWith("/") ? file : pathToFileURL(file).pathname),
);
process.stdout.write(`${lines.join("\n")}\n`);
process.exitCode = tally.succeeded(files.length) ? 0 : 1;
