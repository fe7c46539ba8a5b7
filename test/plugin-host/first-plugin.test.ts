import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { isHostError } from "#proto/wire/errors.ts";
import { connect } from "#rpc";
import { startBulkhead } from "../harness/bulkhead-daemon.ts";
import { makeTempFolder, type TempFolder } from "../harness/temp-folder.ts";

const project = resolve(import.meta.dirname, "../..");
const run = promisify(execFile);

/** The page's code blocks by the file name that the text before each gives. */
async function filesOfThePage(): Promise<ReadonlyMap<string, string>> {
  const page = await readFile(join(project, "plugin-host/README.md"), "utf8");
  const lesson = page.slice(page.indexOf("## Your first plugin"), page.indexOf("## What a plugin has"));
  const blocks = lesson.matchAll(
    /`([\w-]+\.(?:proto|yaml|json|ts))`[^`]*?(?:`[^`\n]*`[^`]*?)*?\n```\w+\n([\s\S]*?)```/g,
  );
  return new Map(Array.from(blocks, ([, name = "", text = ""]) => [name, text]));
}

/** Writes the package into a folder outside the project, generating greet_pb.ts as the page says. */
async function writePackage(folder: TempFolder): Promise<string> {
  const files = await filesOfThePage();
  assert.deepEqual([...files.keys()], ["greet.proto", "plugin.yaml", "schema.json", "index.ts"]);
  const target = folder.join("packages", "greeter");
  await mkdir(target, { recursive: true });
  for (const [name, text] of files) await writeFile(join(target, name), text);
  const template = JSON.stringify({
    version: "v2",
    plugins: [
      { local: join(project, "node_modules/.bin/protoc-gen-es"), out: ".", opt: ["target=ts", "import_extension=ts"] },
    ],
  });
  await run(join(project, "node_modules/.bin/buf"), ["generate", "--template", template], { cwd: target });
  return folder.join("packages");
}

const text = (answer: Buffer): string => answer.subarray(2).toString();
const named = (name: string): Buffer => Buffer.concat([Buffer.from([10, name.length]), Buffer.from(name)]);

test("the first plugin of the README runs from a folder outside the project", async () => {
  await using folder = await makeTempFolder("p");
  const packages = await writePackage(folder);
  const config = `plugin_dirs: [${packages}]\nplugins: { acme.greeter.v1.greeter: { greeting: Ahoy } }\n`;
  await using daemon = await startBulkhead({ folder, config });
  using channel = connect(daemon.address);
  const greet = (name: string) => channel.unary("/acme.greet.v1.Greeter/Greet", named(name));
  assert.equal(text(await greet("Ada")), "Ahoy, Ada!");
  await assert.rejects(channel.unary("/acme.greet.v1.Greeter/Greet", Buffer.alloc(0)), (error) => {
    assert(isHostError(error, "invalid-argument"));
    assert.match(error.message, /say whom to greet/);
    return true;
  });
});

test("its schema is checked and fills in what is not configured", async () => {
  await using folder = await makeTempFolder("p");
  const packages = await writePackage(folder);
  {
    await using daemon = await startBulkhead({ folder, config: `plugin_dirs: [${packages}]\n` });
    using channel = connect(daemon.address);
    assert.equal(text(await channel.unary("/acme.greet.v1.Greeter/Greet", named("Bo"))), "Hello, Bo!");
  }
  const config = `plugin_dirs: [${packages}]\nplugins: { acme.greeter.v1.greeter: { greating: Ahoy } }\n`;
  await using daemon = await startBulkhead({ folder, config });
  using channel = connect(daemon.address);
  await assert.rejects(channel.unary("/acme.greet.v1.Greeter/Greet", named("Bo")), (error) => {
    assert(isHostError(error, "unavailable"));
    assert.match(error.message, /greating/);
    assert.match(error.message, /config\.yaml/);
    return true;
  });
});
