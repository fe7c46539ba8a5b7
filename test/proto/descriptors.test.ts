import assert from "node:assert/strict";
import { glob, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { before, test } from "node:test";
import type { DescFile } from "@bufbuild/protobuf";
import { parse } from "yaml";
import facts from "./api-facts.json" with { type: "json" };
import { describeFiles, type Described } from "./describe.ts";

/** Names in our files that the facts do not have, with the reason. */
const additions: Readonly<Record<string, string>> = {
  "google.rpc.ErrorInfo": "details of the host's own refusals",
  "google.rpc.RetryInfo": "details of the host's own refusals",
};

const project = resolve(import.meta.dirname, "../..");
let files: readonly DescFile[] = [];
let ours: Described;

before(async () => {
  files = (await loadGenerated()).filter((file) => facts.packages.includes(file.proto.package));
  ours = describeFiles(files);
});

async function loadGenerated(): Promise<DescFile[]> {
  const found: DescFile[] = [];
  for await (const path of glob("proto/gen/**/*_pb.ts", { cwd: project })) {
    const module = (await import(join(project, path))) as Record<string, unknown>;
    for (const [name, value] of Object.entries(module)) if (name.startsWith("file_")) found.push(value as DescFile);
  }
  return found;
}

test("every package of the facts is compiled", () => {
  const compiled = new Set(files.map((file) => file.proto.package));
  assert.deepEqual([...compiled].sort(), facts.packages.toSorted());
});

test("services have the facts' methods, in name, types and kind of stream: none missing, none more", () => {
  const expected = Object.fromEntries(
    Object.entries(facts.services).map(([name, service]) => [name, service.methods.toSorted()]),
  );
  const actual = Object.fromEntries(Object.entries(ours.services).map(([name, methods]) => [name, methods.toSorted()]));
  assert.deepEqual(actual, expected);
});

test("messages have the facts' fields, in name, number, type, label and oneof: none missing, none more", () => {
  const known = Object.entries(ours.messages).filter(([name]) => additions[name] === undefined);
  for (const [name, fields] of known) {
    assert.deepEqual(fields, facts.messages[name as keyof typeof facts.messages], name);
  }
  assert.deepEqual(known.map(([name]) => name).sort(), Object.keys(facts.messages).sort());
});

test("enums have the facts' values: none missing, none more", () => {
  assert.deepEqual(ours.enums, facts.enums);
});

test("fields keep the json names that protoc gives by default", () => {
  for (const file of files) {
    for (const message of file.messages) {
      for (const field of message.fields) {
        const expected = field.name.replace(/_([a-zA-Z0-9])/g, (_, letter: string) => letter.toUpperCase());
        assert.equal(field.jsonName, expected, `${message.typeName}.${field.name}`);
      }
    }
  }
});

test("numbers that containerd retired cannot be taken again", () => {
  for (const [name, numbers] of Object.entries(facts.reserved)) {
    const message = files.flatMap((file) => file.messages).find((candidate) => candidate.typeName === name);
    const ranges = message?.proto.reservedRange ?? [];
    for (const number of numbers) {
      assert.ok(
        ranges.some((range) => range.start <= number && number < range.end),
        `${name} ${number}`,
      );
    }
  }
});

test("fields that 1.6 defines otherwise are compatible on the wire or a reserved number", () => {
  for (const [name, fields] of Object.entries(facts["differentIn1.6"])) {
    const mine = ours.messages[name] ?? [];
    const reserved = (facts.reserved as Record<string, readonly number[]>)[name] ?? [];
    for (const field of fields) {
      const number = Number.parseInt(field, 10);
      const same = mine.find((candidate) => Number.parseInt(candidate, 10) === number);
      // A message of another name with the same fields reads the same bytes.
      const compatible = same !== undefined && sameShape(typeOf(same), typeOf(field));
      assert.ok(compatible || reserved.includes(number), `${name}: ${field} against ${same}`);
    }
  }
});

function typeOf(field: string): string {
  return field.split(" ").at(-1) ?? "";
}

function sameShape(mine: string, theirs: string): boolean {
  if (mine === theirs) return true;
  const fields = ours.messages[mine];
  const other = ours.messages[theirs];
  // 1.6's own envelopes live beside the service and have the fields of containerd.types.Envelope.
  return (
    fields !== undefined && (other === undefined ? theirs.endsWith(".Envelope") : String(fields) === String(other))
  );
}

test("no package routes a service on the main socket that containerd speaks over ttrpc", async () => {
  const overTtrpc = Object.entries(facts.services).filter(([, service]) => service.transport === "ttrpc");
  for await (const path of glob("plugins/*/plugin.yaml", { cwd: project })) {
    const manifest = parse(await readFile(join(project, path), "utf8")) as { plugins?: { routes?: string[] }[] };
    const routes = manifest.plugins?.flatMap((plugin) => plugin.routes ?? []) ?? [];
    for (const [name] of overTtrpc) assert.ok(!routes.includes(name), `${path} routes ${name}`);
  }
});
