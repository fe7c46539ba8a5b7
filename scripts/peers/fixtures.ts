import { join } from "node:path";
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { fixturesCache, projectFolder } from "./folders.ts";
import { buildGo } from "./go-fixtures.ts";
import { hashFiles } from "./hash-files.ts";
import { buildPython } from "./python-fixtures.ts";
import { buildRust } from "./rust-fixtures.ts";

/** Peer that builds a fixture. */
type Builder = "go" | "python" | "cargo";

const builders: Readonly<Record<Builder, (source: string, folder: string) => Promise<void>>> = {
  go: buildGo,
  python: buildPython,
  cargo: buildRust,
};

/** A package in another language, built into a folder that the daemon can load as it is. */
interface Fixture {
  readonly name: string;
  /** Peer that builds it. */
  readonly peer: Builder;
  /** Go: the command; Python: the script; Rust: the crate. */
  readonly source: string;
}

const fixtures: readonly Fixture[] = [
  { name: "go-echo", peer: "go", source: "echo" },
  { name: "go-echo-two", peer: "go", source: "echo" },
  { name: "go-greeter", peer: "go", source: "greeter" },
  { name: "go-dies-on-call", peer: "go", source: "faulty" },
  { name: "go-closes-socket", peer: "go", source: "faulty" },
  { name: "go-load", peer: "go", source: "load" },
  { name: "go-hop", peer: "go", source: "hop" },
  { name: "go-h2spec", peer: "go", source: "h2spec" },
  { name: "go-interop", peer: "go", source: "interop" },
  { name: "python-interop", peer: "python", source: "interop.py" },
  { name: "python-sums", peer: "python", source: "sums.py" },
  { name: "python-relay", peer: "python", source: "relay.py" },
  { name: "rust-interop", peer: "cargo", source: "interop" },
];

/** What a built fixture depends on besides its own folder. */
const shared: Readonly<Record<Builder, readonly string[]>> = {
  go: [
    "test/fixtures/go",
    "test/fixtures/proto",
    "proto/bulkhead/plugin",
    "scripts/peers/go-fixtures.ts",
    "scripts/peers/h2spec.ts",
  ],
  python: ["test/fixtures/python", "test/fixtures/proto", "proto/bulkhead/plugin", "scripts/peers/python-fixtures.ts"],
  cargo: ["test/fixtures/rust", "scripts/peers/rust-fixtures.ts"],
};

/** Where the sources of fixture packages stand. */
export const fixtureSources = join(projectFolder, "test/fixtures/plugins");

/**
 * Builds what changed into `.cache/fixtures/<name>`. Gives for each fixture undefined, or why it could not be
 * built. A cold build of the Go ones takes about a minute, later ones a second.
 */
export async function buildFixtures(
  report: Readonly<Record<string, string | null>>,
  say: (text: string) => void,
): Promise<ReadonlyMap<string, string | undefined>> {
  const results = new Map<string, string | undefined>();
  const build = async (peer: Builder) => {
    for (const fixture of fixtures.filter((candidate) => candidate.peer === peer)) {
      const missing = report[peer];
      const reason = missing === null || missing === undefined ? await prepare(fixture, say) : missing;
      results.set(fixture.name, reason);
      if (reason !== undefined && missing === null) say(`fixture ${fixture.name}: ${reason}`);
    }
  };
  await Promise.all([build("go"), build("python"), build("cargo")]);
  return results;
}

async function prepare(fixture: Fixture, say: (text: string) => void): Promise<string | undefined> {
  const folder = join(fixturesCache, fixture.name);
  const hash = await hashFiles([join("test/fixtures/plugins", fixture.name), ...shared[fixture.peer]]);
  if ((await readFile(join(folder, ".hash"), "utf8").catch(() => "")) === hash) return undefined;
  say(`building fixture ${fixture.name}`);
  await mkdir(fixturesCache, { recursive: true });
  const work = await mkdtemp(join(fixturesCache, `.${fixture.name}-`));
  try {
    await cp(join(fixtureSources, fixture.name), work, { recursive: true });
    await builders[fixture.peer](fixture.source, work);
    await writeFile(join(work, ".hash"), hash);
    await rm(folder, { recursive: true, force: true });
    await rename(work, folder);
    return undefined;
  } catch (error) {
    await rm(work, { recursive: true, force: true });
    return `could not be built: ${(error as Error).message}`;
  }
}
