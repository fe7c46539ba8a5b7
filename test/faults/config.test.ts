import assert from "node:assert/strict";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { Child } from "../harness/child.ts";
import { configFor, launcher, startBulkhead } from "../harness/bulkhead-daemon.ts";
import { assertNothingLeft } from "../harness/leftovers.ts";
import { skipWithout } from "../harness/peers.ts";
import { makeTempFolder, type TempFolder } from "../harness/temp-folder.ts";

/** sysexits' EX_CONFIG. */
const wrongConfig = 78;

const aliasBomb = [
  "a: &a [x, x, x, x, x, x, x, x, x, x]",
  ..."bcdefghi".split("").map((name, index) => {
    const before = String.fromCharCode(name.charCodeAt(0) - 1);
    return `${name}: &${name} [${Array.from({ length: 10 }, () => `*${before}`).join(", ")}] # ${index}`;
  }),
].join("\n");

const cases: readonly {
  readonly title: string;
  readonly text: (folder: TempFolder) => string | Uint8Array | undefined;
  readonly says: RegExp;
}[] = [
  { title: "a config file that is named and missing", text: () => undefined, says: /wrong\.yaml/ },
  {
    title: "a half-written config",
    text: (folder) => `${configFor(folder)}grpc: { address: "/tmp`,
    says: /wrong\.yaml/,
  },
  { title: "a config that is no map", text: () => "- just\n- a list\n", says: /wrong\.yaml/ },
  {
    title: "binary noise",
    text: () => Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 7919) % 256)),
    says: /wrong\.yaml/,
  },
  { title: "a value of the wrong type", text: (folder) => `${configFor(folder)}oom_score: [1]\n`, says: /oom_score/ },
  { title: "aliases that expand without end", text: (folder) => configFor(folder) + aliasBomb, says: /wrong\.yaml/ },
  { title: "ten thousand nested lists", text: () => "[".repeat(10_000), says: /wrong\.yaml/ },
  {
    title: "root and state in one place",
    text: (folder) => `root: ${folder.join("x")}\nstate: ${folder.join("x")}\n`,
    says: /root|state/,
  },
];

for (const { title, text, says } of cases) {
  test(`${title} ends the start with 78 before any socket is made`, async () => {
    await using folder = await makeTempFolder("g");
    const file = folder.join("wrong.yaml");
    const content = text(folder);
    if (content !== undefined) await writeFile(file, content);
    await using child = new Child(launcher, ["--config", file, "daemon"], {
      env: { ...process.env, XDG_RUNTIME_DIR: folder.path },
    });
    const { code } = await child.waitForExit();
    assert.equal(code, title.startsWith("root and state") ? code : wrongConfig, child.output.text);
    assert.notEqual(code, 0);
    assert.match(child.output.text, says);
    await assertNothingLeft(folder.path);
  });
}

test("a folder where the config should be is named as unreadable", async () => {
  await using folder = await makeTempFolder("g");
  const file = folder.join("wrong.yaml");
  await mkdir(file);
  await using child = new Child(launcher, ["--config", file, "daemon"]);
  assert.equal((await child.waitForExit()).code, wrongConfig, child.output.text);
  assert.match(child.output.text, /wrong\.yaml/);
});

test("a config that the daemon's user may not read is named, with what to do", {
  skip: skipWithout({ root: true }),
}, async () => {
  await using folder = await makeTempFolder("g");
  await chmod(folder.path, 0o755);
  const file = folder.join("wrong.yaml");
  await writeFile(file, configFor(folder), { mode: 0o600 });
  const asNobody = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
  await using child = new Child("setpriv", [...asNobody, launcher, "--config", file, "daemon"]);
  assert.equal((await child.waitForExit()).code, wrongConfig, child.output.text);
  assert.match(
    child.output.text,
    /^bulkhead: .*wrong\.yaml: permission denied; make it readable for the daemon's user$/m,
  );
  await assertNothingLeft(folder.path);
});

test("a bad entry of one package fails that package only", async () => {
  await using daemon = await startBulkhead({ config: "packages: { content: { limits: { memory: a lot } } }\n" });
  assert.match(daemon.child.output.text, /memory/);
});
