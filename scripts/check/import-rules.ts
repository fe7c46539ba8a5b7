/**
 * Plants one forbidden import for each pattern of each `no-restricted-imports` rule and fails when the linter lets
 * it pass: a pattern that matches nothing is silent otherwise.
 */
import { execa } from "execa";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { projectFolder } from "../peers/folders.ts";

interface Config {
  readonly overrides: readonly {
    readonly files: readonly string[];
    readonly rules: {
      readonly "no-restricted-imports"?: readonly [string, { patterns: readonly { group: string[] }[] }];
    };
  }[];
}

/** A module that a pattern is meant to catch. */
const examples: Readonly<Record<string, string>> = {
  "#rpc": "#rpc",
  "#linux": "#linux",
  "bulkhead/*": "bulkhead/plugin",
  "@grpc/*": "@grpc/grpc-js",
  winston: "winston",
  execa: "execa",
  commander: "commander",
  "**/supervisor/**": "../../supervisor/status.ts",
  "**/plugins/**": "../../plugins/content/index.ts",
  "**/plugin-host/**": "../../plugin-host/index.ts",
};
const allowed = "#proto/gen/containerd/services/version/v1/version_pb.ts";

const configFile = join(projectFolder, ".oxlintrc.json");
const config = JSON.parse(await readFile(configFile, "utf8")) as Config;
const work = await mkdtemp(join(tmpdir(), "bulkhead-rules-"));
try {
  await cp(configFile, join(work, ".oxlintrc.json"));
  const planted = await plant();
  const found = await lint();
  const silent = planted.filter((line) => !found.has(line));
  const wrong = [...found].filter((line) => !planted.includes(line));
  for (const line of silent) console.error(`inert import rule: nothing was said about ${line}`);
  for (const line of wrong) console.error(`import rule too wide: ${line} is allowed`);
  if (planted.length === 0 || silent.length > 0 || wrong.length > 0) process.exitCode = 1;
} finally {
  await rm(work, { recursive: true, force: true });
}

/** Gives "file:line" of each import that must be refused. */
async function plant(): Promise<string[]> {
  const lines: string[] = [];
  for (const { files, rules } of config.overrides) {
    const groups = rules["no-restricted-imports"]?.[1].patterns.flatMap(({ group }) => group) ?? [];
    if (groups.length === 0) continue;
    for (const glob of files) {
      const file = glob.replace(/\*\*$/, "planted.ts");
      const imports = groups.map((pattern) => {
        const example = examples[pattern];
        if (example === undefined)
          throw new Error(`no example of the import pattern ${pattern}: add one to ${import.meta.filename}`);
        return example;
      });
      await mkdir(dirname(join(work, file)), { recursive: true });
      const text = [...imports, allowed].map((module) => `import ${JSON.stringify(module)};`).join("\n");
      await writeFile(join(work, file), `${text}\n`);
      lines.push(...imports.map((_, index) => `${file}:${index + 1}`));
    }
  }
  return lines;
}

async function lint(): Promise<ReadonlySet<string>> {
  const { stdout } = await execa("oxlint", ["--format=unix", "."], {
    cwd: work,
    localDir: projectFolder,
    preferLocal: true,
    reject: false,
  });
  const lines = stdout.split("\n").filter((line) => line.includes("no-restricted-imports"));
  return new Set(
    lines.map((line) => line.split(":").slice(0, 2).join(":").replace(/^\.\//, "").replace(`${work}/`, "")),
  );
}
