import assert from "node:assert/strict";
import { test } from "node:test";
import { Kind } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import { isHostError } from "#proto/wire/errors.ts";
import { passAll } from "#proto/wire/filters.ts";
import { listSnapshots } from "../../../plugins/shared/snapshots/listing.ts";
import { openRecords } from "../../../plugins/shared/snapshots/open-records.ts";
import {
  findMountable,
  kindOfId,
  recordCommit,
  recordNew,
  recordRemoval,
  recordUpdate,
} from "../../../plugins/shared/snapshots/records.ts";
import { numbersFrom } from "../../differential/chance.ts";
import { scaled } from "../../harness/deadline.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";

/** What the rules come to, as plainly as it can be said. */
interface Plain {
  readonly id: bigint;
  readonly kind: "active" | "view" | "committed";
  readonly parent: string;
  readonly labels: Readonly<Record<string, string>>;
}

const kinds = { active: Kind.ACTIVE, view: Kind.VIEW, committed: Kind.COMMITTED };
const names = ["a", "b", "c", "d", "e", ""];

test("whatever is asked for in whatever order, the records are those of a plain model", async (t) => {
  const seed = Date.now() % 1_000_000;
  t.diagnostic(`seed ${seed}`);
  const below = numbersFrom(seed);
  const nameByChance = () => names[below(names.length)] ?? "";
  await using folder = await makeTempFolder("rec");
  await using database = await openRecords(folder.path);
  const model = new Map<string, Plain>();
  const hasChild = (name: string) => [...model.values()].some(({ parent }) => parent === name && name !== "");
  let id = 0n;

  for (let turn = 0; turn < scaled(3000); turn++) {
    const [name, other] = [nameByChance(), nameByChance()];
    const found = model.get(name);
    switch (below(4)) {
      case 0: {
        const kind = below(3) === 0 ? "view" : "active";
        const isFine = name !== "" && found === undefined && (other === "" || model.get(other)?.kind === "committed");
        const made = { id: ++id, kind, parent: other, labels: { made: `${turn}` } } as const;
        await check(isFine, () => database.write((tx) => recordNew(tx, { ...made, name, parentIds: [] })));
        if (isFine) model.set(name, made);
        break;
      }
      case 1: {
        const isFine = found?.kind === "active" && other !== "" && !model.has(other);
        const usage = { size: BigInt(turn), inodes: 1n };
        const labels = { committed: `${turn}` };
        await check(isFine, () => database.write((tx) => recordCommit(tx, { key: name, name: other, labels, usage })));
        if (isFine) {
          model.delete(name);
          model.set(other, { ...found, kind: "committed", labels });
        }
        break;
      }
      case 2: {
        const isFine = found !== undefined && !hasChild(name);
        await check(isFine, () => database.write((tx) => recordRemoval(tx, name)));
        if (isFine) model.delete(name);
        break;
      }
      default: {
        const labels = { x: `${turn}`, none: "" };
        await check(found !== undefined, () => database.write((tx) => recordUpdate(tx, name, labels, ["labels.x"])));
        if (found !== undefined) model.set(name, { ...found, labels: { ...found.labels, x: `${turn}` } });
      }
    }
    const listed = [...listSnapshots(database, passAll)].flat();
    const shown = listed.map(({ id: of, info }) => [info.name, of, info.kind, info.parent, info.labels]);
    const sorted = [...model].toSorted(([one], [another]) => (one < another ? -1 : 1));
    const expected = sorted.map(([key, each]) => [key, each.id, kinds[each.kind], each.parent, each.labels]);
    assert.deepEqual(shown, expected);
    for (const [key, each] of model) {
      assert.equal(kindOfId(database, each.id), kinds[each.kind]);
      if (each.kind !== "committed") assert.deepEqual(findMountable(database, key).parentIds, chainOf(model, each));
    }
  }
});

async function check(isFine: boolean, work: () => Promise<unknown>): Promise<void> {
  if (isFine) await work();
  else await assert.rejects(work(), (error) => isHostError(error));
}

function chainOf(model: ReadonlyMap<string, Plain>, { parent }: Plain): bigint[] {
  const found = model.get(parent);
  return found === undefined ? [] : [found.id, ...chainOf(model, found)];
}
