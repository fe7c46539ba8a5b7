import assert from "node:assert/strict";
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { numbersFrom } from "../../differential/chance.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { openDatabase } from "../../../plugins/metadata/database/open.ts";
import { tables } from "../../../plugins/metadata/database/tables.ts";
import type { Database } from "../../../plugins/shared/database/database.ts";
import { Journal, journalBytes, type KeyChange } from "../../../plugins/shared/database/journal.ts";
import type { ByteStore } from "../../../plugins/shared/database/reader.ts";
import { RecentChanges } from "../../../plugins/shared/database/recent-changes.ts";

const options = { maxBytes: 2 ** 30, publish: () => Promise.resolve() };

const put = (database: Database, name: string, fill = "") =>
  database.write((tx) => tx.put(tables.namespace, [name], { name, labels: { fill } }));

const names = (database: Database): string[] =>
  Array.from(database.range(tables.namespace, []), ({ value }) => value.name);

const change = (key: string, value?: string): KeyChange => ({
  key,
  value: value === undefined ? undefined : Buffer.from(value),
});

const told = (commits: Iterable<readonly KeyChange[]>) =>
  Array.from(commits, (changes) =>
    changes.map(({ key, value }) => `${key}=${value === undefined ? "" : Buffer.from(value).toString()}`),
  );

test("a journal gives back the commits of its epoch, up to one that was cut short", async () => {
  await using folder = await makeTempFolder("j");
  const file = folder.join("journal");
  {
    using journal = Journal.open(file);
    assert.ok(journal !== undefined);
    journal.begin(1n);
    for (let index = 0; index < 9; index++) assert.ok(journal.append([change("old", `${index}`)]));
    journal.begin(2n);
    assert.ok(journal.append([change("a", "1"), change("\xff\x00")]));
    assert.ok(journal.append([change("b", "2")]));
    assert.ok(!journal.append([change("big", "x".repeat(journalBytes))]));
  }
  assert.equal(statSync(file).size, journalBytes);
  using journal = Journal.open(file);
  assert.deepEqual(told(journal?.read(2n) ?? []), [["a=1", "\xff\x00="], ["b=2"]]);
  assert.deepEqual(told(journal?.read(1n) ?? []), []);
  const bytes = readFileSync(file);
  const last = bytes.indexOf("b2");
  bytes[last + 1] = 0x33;
  writeFileSync(file, bytes);
  assert.deepEqual(told(journal?.read(2n) ?? []), [["a=1", "\xff\x00="]]);
});

test("reading sees changes over what lies below, in order, as if they were in it", () => {
  const below = numbersFrom(20_261_126);
  for (let round = 0; round < 200; round++) {
    const key = () => String.fromCharCode(below(256)).repeat(1 + below(2));
    const base = new Map(Array.from({ length: 20 }, () => [key(), "base"]));
    const recent = new RecentChanges();
    const model = new Map(base);
    for (let index = 0; index < 20; index++) {
      const name = key();
      if (below(3) === 0) {
        recent.set(change(name));
        model.delete(name);
      } else {
        recent.set(change(name, `${index}`));
        model.set(name, `${index}`);
      }
    }
    const store = recent.over(storeOf(base));
    const [start, end] = [key(), key()].sort() as [string, string];
    for (const exclusive of [false, true])
      assert.deepEqual(rangeOf(store, start, end, exclusive), rangeOf(storeOf(model), start, end, exclusive));
    const name = key();
    assert.equal(textOf(store.get(Buffer.from(name, "latin1"))), model.get(name));
  }
});

function storeOf(values: ReadonlyMap<string, string>): ByteStore {
  const sorted = [...values].sort(([one], [other]) => (one < other ? -1 : 1));
  return {
    get: (key) => {
      const value = values.get(key.toString("latin1"));
      return value === undefined ? undefined : Buffer.from(value);
    },
    range: (start, end, exclusiveStart) => {
      const [first, last] = [start.toString("latin1"), end.toString("latin1")];
      return sorted
        .filter(([key]) => (exclusiveStart ? key > first : key >= first) && key < last)
        .map(([key, value]) => ({ key: Buffer.from(key, "latin1"), value: Buffer.from(value) }));
    },
  };
}

function rangeOf(store: ByteStore, start: string, end: string, exclusive: boolean): string[] {
  const found = store.range(Buffer.from(start, "latin1"), Buffer.from(end, "latin1"), exclusive);
  return Array.from(found, ({ key, value }) => `${key.toString("latin1")}=${textOf(value)}`);
}

function textOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes).toString();
}

test("commits beyond the journal's room, big ones among them, are all there after opening again", async () => {
  await using folder = await makeTempFolder("j");
  const expected: string[] = [];
  for (let round = 0; round < 2; round++) {
    await using database = await openDatabase(folder.path, options);
    for (let index = 0; index < 300; index++) {
      const name = `${round}-${String(index).padStart(3, "0")}`;
      await put(database, name, "x".repeat(index % 50 === 0 ? journalBytes : 2000));
      expected.push(name);
    }
    assert.deepEqual(names(database), expected);
  }
  await using database = await openDatabase(folder.path, options);
  assert.deepEqual(names(database), expected);
});

test("what is reserved is seen by all, and gone after opening again unless it was written for good", async () => {
  await using folder = await makeTempFolder("j");
  {
    await using database = await openDatabase(folder.path, options);
    for (const name of ["kept", "passing", "removed"]) {
      await database.reserve((tx) => tx.put(tables.namespace, [name], { name }));
    }
    await put(database, "other");
    assert.deepEqual(names(database), ["kept", "other", "passing", "removed"]);
    await put(database, "kept");
    await database.write((tx) => tx.remove(tables.namespace, ["removed"]));
    assert.deepEqual(names(database), ["kept", "other", "passing"]);
  }
  await using database = await openDatabase(folder.path, options);
  assert.deepEqual(names(database), ["kept", "other"]);
});

test("a journal is not read into a database that it does not belong to, and one that is missing is made", async () => {
  await using folder = await makeTempFolder("j");
  const file = folder.join("meta.lmdb");
  {
    await using database = await openDatabase(folder.path, options);
    await put(database, "first");
    await database.copy(folder.join("backup"));
    await put(database, "second");
  }
  writeFileSync(file, readFileSync(folder.join("backup")));
  {
    await using database = await openDatabase(folder.path, options);
    assert.deepEqual(names(database), ["first"]);
  }
  rmSync(`${file}-journal`);
  await using database = await openDatabase(folder.path, options);
  await put(database, "third");
  assert.deepEqual(names(database), ["first", "third"]);
});
