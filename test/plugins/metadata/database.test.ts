import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { test } from "node:test";
import type { Database } from "../../../plugins/shared/database/database.ts";
import { openDatabase } from "../../../plugins/metadata/database/open.ts";
import { tables } from "../../../plugins/metadata/database/tables.ts";
import type { PendingEvent } from "../../../plugins/shared/database/transaction.ts";
import { NamespaceCreateSchema } from "#proto/gen/containerd/events/events_pb.ts";
import { HostError, isHostError } from "#proto/wire/errors.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";

const quiet = { maxBytes: 2 ** 30, publish: () => Promise.resolve() };

const put =
  (name: string, labels: Record<string, string> = {}) =>
  (tx: Parameters<Parameters<Database["write"]>[0]>[0]) => {
    tx.put(tables.namespace, [name], { name, labels });
  };

const names = (database: Database): string[] =>
  Array.from(database.range(tables.namespace, []), ({ value }) => value.name);

test("a job that throws leaves nothing and does not harm the jobs beside it", async () => {
  await using folder = await makeTempFolder("md");
  await using database = await openDatabase(folder.path, quiet);
  const before = database.write(put("before"));
  const bad = database.write((tx) => {
    put("bad")(tx);
    tx.remove(tables.namespace, ["before"]);
    throw new HostError("invalid-argument", "no");
  });
  const after = database.write(put("after"));
  await assert.rejects(bad, (error) => isHostError(error, "invalid-argument"));
  await Promise.all([before, after]);
  assert.deepEqual(names(database), ["after", "before"]);
});

test("a job sees what the jobs before it in the same commit wrote", async () => {
  await using folder = await makeTempFolder("md");
  await using database = await openDatabase(folder.path, quiet);
  const take = (name: string) =>
    database.write((tx) => {
      if (tx.has(tables.namespace, [name])) throw new HostError("already-exists", name);
      put(name)(tx);
      return Array.from(tx.range(tables.namespace, [])).length;
    });
  const results = await Promise.allSettled([take("a"), take("a"), take("b")]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ["fulfilled", "rejected", "fulfilled"],
  );
  assert.equal(results[2]?.status === "fulfilled" && results[2].value, 1);
});

test("numbers of a counter are never given twice, not even when the job that took one fails later", async () => {
  await using folder = await makeTempFolder("md");
  const taken: bigint[] = [];
  for (let round = 0; round < 2; round++) {
    await using database = await openDatabase(folder.path, quiet);
    const jobs = Array.from({ length: 5 }, () => database.write((tx) => taken.push(tx.next("x"))));
    await Promise.all(jobs);
  }
  assert.deepEqual(
    taken,
    Array.from({ length: 10 }, (_, index) => BigInt(index + 1)),
  );
});

test("events are published after the commit, in commit order, before the caller hears of it", async () => {
  await using folder = await makeTempFolder("md");
  const seen: string[] = [];
  let database: Database | undefined;
  const publish = ({ topic }: PendingEvent): Promise<void> => {
    seen.push(`${topic} ${names(database as Database).length}`);
    return Promise.resolve();
  };
  await using opened = (database = await openDatabase(folder.path, { ...quiet, publish }));
  const write = async (name: string): Promise<void> => {
    await opened.write((tx) => {
      put(name)(tx);
      tx.publish(name, `/${name}`, NamespaceCreateSchema, { name });
    });
    seen.push(`answered ${name}`);
  };
  await Promise.all([write("a"), write("b"), write("c")]);
  assert.deepEqual(seen.slice(0, 3), ["/a 3", "/b 3", "/c 3"]);
  assert.deepEqual(seen.slice(3), ["answered a", "answered b", "answered c"]);
});

test("16 writers share commits and every acknowledged write is there after opening again", async () => {
  await using folder = await makeTempFolder("md");
  let commits = 0;
  {
    await using database = await openDatabase(folder.path, quiet);
    const writer = async (index: number): Promise<void> => {
      for (let turn = 0; turn < 50; turn++) {
        let first = false;
        await database.write((tx) => {
          put(`w${index}.${turn}`)(tx);
          first = index === 0;
        });
        if (first) commits++;
      }
    };
    await Promise.all(Array.from({ length: 16 }, (_, index) => writer(index)));
  }
  await using again = await openDatabase(folder.path, quiet);
  assert.equal(names(again).length, 800);
  assert.equal(commits, 50);
});

test("the database grows by itself, up to its limit; beyond it only removals work, and say which key to raise", async () => {
  await using folder = await makeTempFolder("md");
  const maxBytes = 4 * 2 ** 20;
  await using database = await openDatabase(folder.path, { ...quiet, maxBytes });
  const labels = { fill: "x".repeat(4000) };
  let count = 0;
  const fill = async (): Promise<unknown> => {
    for (;;) {
      try {
        await database.write(put(`n${count}`, labels));
        count++;
      } catch (error) {
        return error;
      }
    }
  };
  const error = await fill();
  assert.ok(isHostError(error, "resource-exhausted"));
  assert.match(error.message, /maxSize/);
  assert.ok(count > 500, `${count} records fitted`);
  assert.ok(database.liveBytes <= maxBytes);
  await database.write((tx) => {
    for (let index = 0; index < 100; index++) tx.remove(tables.namespace, [`n${index}`]);
  });
  await database.write(put("again", labels));
});

test("a full disk answers resource-exhausted, changes nothing, and the database works on once there is room", async (t) => {
  await using folder = await makeTempFolder("md");
  const disk = folder.join("disk");
  mkdirSync(disk);
  if (process.getuid?.() !== 0 || spawnSync("mount", ["-t", "tmpfs", "-o", "size=3m", "none", disk]).status !== 0) {
    t.skip("needs root to mount a small tmpfs");
    return;
  }
  try {
    await using database = await openDatabase(`${disk}/db`, quiet);
    const { writeFile, rm } = await import("node:fs/promises");
    await database.write(put("first"));
    await writeFile(`${disk}/ballast`, Buffer.alloc(2 ** 20));
    const labels = { fill: "x".repeat(4000) };
    let written = 0;
    const failure = await (async () => {
      for (;;) {
        try {
          await database.write(put(`n${written}`, labels));
          written++;
        } catch (error) {
          return error;
        }
      }
    })();
    assert.ok(isHostError(failure, "resource-exhausted"), String(failure));
    assert.match(failure.message, /no space left/);
    assert.equal(names(database).length, written + 1);
    for (let index = 0; index < 10; index++) await database.write((tx) => tx.remove(tables.namespace, [`n${index}`]));
    await rm(`${disk}/ballast`);
    await database.write(put("later", labels));
    assert.equal(names(database).length, written - 8);
  } finally {
    spawnSync("umount", [disk]);
  }
});

test("on a full disk a new database is refused, one that is there opens, reads and removes", async (t) => {
  await using folder = await makeTempFolder("md");
  const disk = folder.join("disk");
  mkdirSync(disk);
  if (process.getuid?.() !== 0 || spawnSync("mount", ["-t", "tmpfs", "-o", "size=3m", "none", disk]).status !== 0) {
    t.skip("needs root to mount a small tmpfs");
    return;
  }
  try {
    const { writeFile } = await import("node:fs/promises");
    {
      await using database = await openDatabase(`${disk}/db`, quiet);
      for (let index = 0; index < 20; index++) await database.write(put(`n${index}`));
    }
    await writeFile(`${disk}/ballast`, Buffer.alloc(4 * 2 ** 20)).catch(() => {});
    await assert.rejects(openDatabase(`${disk}/new`, quiet), (error) => isHostError(error));
    await using database = await openDatabase(`${disk}/db`, quiet);
    assert.equal(names(database).length, 20);
    await database.write((tx) => tx.remove(tables.namespace, ["n3"]));
    assert.equal(names(database).length, 19);
  } finally {
    spawnSync("umount", [disk]);
  }
});

test("a database of a newer format is refused with what to do, and stays as it is", async () => {
  await using folder = await makeTempFolder("md");
  {
    await using database = await openDatabase(folder.path, quiet);
    await database.write((tx) => tx.put(tables.format, [], { version: 99 }));
  }
  for (let round = 0; round < 2; round++) {
    await assert.rejects(openDatabase(folder.path, quiet), (error) => {
      assert.ok(isHostError(error, "failed-precondition"));
      assert.match(error.message, /format 99.*newer Bulkhead.*backup/s);
      return true;
    });
  }
});

test("a file that is no database, or a damaged one, is refused with what to do", async () => {
  await using folder = await makeTempFolder("md");
  const { readFile, writeFile } = await import("node:fs/promises");
  {
    await using database = await openDatabase(folder.path, quiet);
    for (let index = 0; index < 500; index++) await database.write(put(`n${index}`, { fill: "x".repeat(500) }));
  }
  const file = folder.join("meta.lmdb");
  const whole = await readFile(file);
  const damaged = {
    foreign: Buffer.alloc(20_000, "garbage"),
    short: Buffer.from("abc"),
    zeros: Buffer.alloc(16_384),
    cut: whole.subarray(0, 16 * 4096),
  };
  for (const [name, bytes] of Object.entries(damaged)) {
    await writeFile(file, bytes);
    await assert.rejects(
      openDatabase(folder.path, quiet),
      (error) => isHostError(error, "data-loss") && /backup/.test(error.message),
      name,
    );
  }
  await writeFile(file, whole);
  await using database = await openDatabase(folder.path, quiet);
  assert.equal(names(database).length, 500);
});

test("a folder that cannot be made is named in the refusal", async () => {
  await using folder = await makeTempFolder("md");
  const { writeFile } = await import("node:fs/promises");
  await writeFile(folder.join("file"), "");
  await assert.rejects(openDatabase(folder.join("file", "db"), quiet), (error) => {
    assert.ok(isHostError(error, "failed-precondition"));
    assert.match(error.message, /file\/db.*ENOTDIR/);
    return true;
  });
});

test("a second opener of one database is refused and told who has it", async () => {
  await using folder = await makeTempFolder("md");
  await using database = await openDatabase(folder.path, quiet);
  await assert.rejects(openDatabase(folder.path, quiet), (error) => {
    assert.ok(isHostError(error, "unavailable"));
    assert.match(error.message, new RegExp(`pid ${process.pid}`));
    return true;
  });
  await database.write(put("still works"));
});

test("what was queued when the database closes is written, what comes later is refused", async () => {
  await using folder = await makeTempFolder("md");
  const database = await openDatabase(folder.path, quiet);
  const queued = database.write(put("queued"));
  await database[Symbol.asyncDispose]();
  await queued;
  await assert.rejects(database.write(put("late")), (error) => isHostError(error, "unavailable"));
  await using again = await openDatabase(folder.path, quiet);
  assert.deepEqual(names(again), ["queued"]);
});
