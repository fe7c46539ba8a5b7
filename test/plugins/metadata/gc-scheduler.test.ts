import assert from "node:assert/strict";
import { test } from "node:test";
import { openDatabase } from "../../../plugins/metadata/database/open.ts";
import { tables } from "../../../plugins/metadata/database/tables.ts";
import { readSchedule, type SchedulerConfig } from "../../../plugins/metadata/gc/config.ts";
import type { Collected } from "../../../plugins/metadata/gc/collector.ts";
import { Scheduler } from "../../../plugins/metadata/gc/scheduler.ts";
import { putTrash } from "../../../plugins/metadata/gc/trash.ts";
import type { Database } from "../../../plugins/shared/database/database.ts";
import { HostError, isHostError } from "#proto/wire/errors.ts";
import { within } from "../../harness/deadline.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";

const log = { debug() {}, info() {}, warn() {}, error() {} };
const done: Collected = { workedMs: 1, removed: 0, emptied: Promise.resolve({ left: 0 }), deleted: () => 0 };

interface Setting {
  readonly database: Database;
  readonly scheduler: Scheduler;
  /** Collections so far. */
  readonly count: () => number;
  /** Resolves with the next collection. */
  readonly next: () => Promise<void>;
}

/** A scheduler that hears of a database; `collect` stands for the collection. */
async function withScheduler(
  config: SchedulerConfig,
  work: (setting: Setting) => Promise<void>,
  collect: () => Promise<Collected> = () => Promise.resolve(done),
): Promise<void> {
  await using folder = await makeTempFolder("gs");
  await using database = await openDatabase(folder.path, { maxBytes: 2 ** 24, publish: () => Promise.resolve() });
  let [count, wake] = [0, Promise.withResolvers<void>()];
  const counted = (): Promise<Collected> => {
    count++;
    wake.resolve();
    wake = Promise.withResolvers();
    return collect();
  };
  await using scheduler = new Scheduler(readSchedule(config), counted, log);
  database.onChanges((tx) => scheduler.hear(tx));
  scheduler.start();
  await work({ database, scheduler, count: () => count, next: () => within("a collection", wake.promise) });
}

const change = (database: Database): Promise<unknown> =>
  database.write((tx) => tx.put(tables.lease, ["n", "l"], { id: "l" }));
const deletion = (database: Database): Promise<unknown> => database.write((tx) => tx.remove(tables.lease, ["n", "l"]));
const never = new AbortController().signal;

test("the first collection comes after the start-up delay, though nothing has happened", async () => {
  await withScheduler({ startup_delay: "1ms" }, async ({ next }) => next());
});

test("until the first collection deletions wait for it, unless it is asked for", async () => {
  await withScheduler({ startup_delay: "24h" }, async ({ database, scheduler, count, next }) => {
    await deletion(database);
    for (let index = 0; index < 150; index++) await change(database);
    assert.equal(count(), 0);
    await scheduler.collect(never);
    assert.equal(count(), 1);
    const again = next();
    await deletion(database);
    await again;
  });
});

test("a tick collects after a deletion of any kind, and after enough changes", async () => {
  const deletions: readonly ((database: Database) => Promise<unknown>)[] = [
    deletion,
    (database) => database.write((tx) => tx.remove(tables.image, ["n", "i"])),
    (database) => database.write((tx) => tx.remove(tables.container, ["n", "c"])),
    (database) => database.write((tx) => putTrash(tx, "content", "d")),
    async (database) => {
      for (let index = 0; index < 5; index++) await change(database);
    },
  ];
  for (const remove of deletions) {
    await withScheduler({ startup_delay: "1ms", mutation_threshold: 5 }, async ({ database, next }) => {
      await next();
      const again = next();
      await remove(database);
      await again;
    });
  }
});

test("so many deletions as the threshold says collect at once", async () => {
  await withScheduler({ startup_delay: "24h", deletion_threshold: 2 }, async ({ database, count, next }) => {
    await deletion(database);
    assert.equal(count(), 0);
    const first = next();
    await deletion(database);
    await first;
  });
});

test("what is deleted while a collection runs is for the next one, and who asks then waits for that", async () => {
  const first = Promise.withResolvers<Collected>();
  const answers = [first.promise];
  const collect = (): Promise<Collected> => answers.shift() ?? Promise.resolve(done);
  await withScheduler(
    { startup_delay: "1ms" },
    async ({ database, scheduler, count, next }) => {
      await next();
      await deletion(database);
      const asked = scheduler.collect(never);
      assert.equal(count(), 1);
      first.resolve(done);
      await asked;
      assert.equal(count(), 2);
    },
    collect,
  );
});

test("a collection that fails is told to those who wait, and is made again", async () => {
  const answers = [Promise.reject<Collected>(new Error("no")), Promise.resolve(done)];
  answers[0]?.catch(() => {});
  await withScheduler(
    { startup_delay: "24h" },
    async ({ scheduler, count, next }) => {
      await assert.rejects(scheduler.collect(never), (error) => isHostError(error, "unknown"));
      await next();
      assert.equal(count(), 2);
    },
    () => answers.shift() ?? Promise.resolve(done),
  );
});

test("who waits and goes away does not stop the collection", async () => {
  const first = Promise.withResolvers<Collected>();
  await withScheduler(
    { startup_delay: "24h" },
    async ({ scheduler, count, next }) => {
      const stop = new AbortController();
      const asked = scheduler.collect(stop.signal);
      await next();
      stop.abort(new HostError("canceled", "gone"));
      await assert.rejects(asked, (error) => isHostError(error, "canceled"));
      first.resolve(done);
      assert.equal(count(), 1);
    },
    () => first.promise,
  );
});

test("durations that are none are refused with the key", () => {
  for (const text of ["", "5", "soon", "1d", "-1s"]) {
    assert.throws(() => readSchedule({ schedule_delay: text }), /schedule_delay: expected a duration/);
  }
  const { scheduleDelayMs, startupDelayMs } = readSchedule({ schedule_delay: "1h0.5s", startup_delay: "0" });
  assert.deepEqual([scheduleDelayMs, startupDelayMs], [3_600_500, 0]);
});
