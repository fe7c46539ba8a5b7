import { digestOf } from "../content-client.ts";
import type { Chance } from "../../../simulation/machine/chance.ts";
import { snapshotter, type Labels } from "./model.ts";
import type { World } from "./world.ts";

const past = "2001-01-01T00:00:00Z";
const root = "containerd.io/gc.root";

/** Texts of blobs, of which both namespaces use the first few. */
function textOf(world: World, index: number): string {
  return index < 3 ? `shared ${index}` : `${world.name} ${index}`;
}

/** Makes a namespace of images, blobs, leases, snapshots, containers and uploads that refer to one another. */
export async function makeGraph(world: World, chance: Chance): Promise<void> {
  for (let index = 0; index < chance.between(0, 3); index++) {
    const labels: Record<string, string> = {};
    if (chance.happens(0.3))
      labels["containerd.io/gc.expire"] = chance.happens(0.5) ? past : "2999-01-01T00:00:00+02:00";
    if (chance.happens(0.2)) labels["containerd.io/gc.expire"] = "soon";
    if (chance.happens(0.3)) labels["containerd.io/gc.flat"] = "1";
    await world.lease(`lease ${index}`, labels);
  }
  for (let index = 0; index < chance.between(2, 7); index++) {
    await world.upload(textOf(world, index), someLabels(world, chance), someLease(world, chance));
  }
  for (let index = 0; index < chance.between(0, 5); index++) {
    const committed = committedOf(world);
    const parent = chance.happens(0.6) ? (chance.pick(committed) ?? "") : "";
    if (chance.happens(0.7))
      await world.layer(`layer ${index}`, parent, someLabels(world, chance), someLease(world, chance));
    else await world.view(`view ${index}`, parent, someLabels(world, chance), someLease(world, chance));
  }
  for (let index = 0; index < chance.between(0, 3); index++) {
    const labels = { ...someLabels(world, chance), ...(chance.happens(0.15) && { "containerd.io/gc.expire": past }) };
    await world.image(`image ${index}`, someDigest(world, chance), labels);
  }
  for (let index = 0; index < chance.between(0, 2); index++) {
    const key = chance.happens(0.7) ? (chance.pick([...world.model.snapshots.keys()]) ?? "") : "";
    await world.container(`container-${index}`, key, someLabels(world, chance));
  }
  for (let index = 0; index < chance.between(0, 2); index++) {
    await world.begin(`ref ${index}`, someLease(world, chance));
  }
}

/** Changes something, as a client might; `onlyLess`: nothing is referred to that was not before. */
export async function changeSomething(world: World, chance: Chance, onlyLess = false): Promise<void> {
  const { images, containers, leases, blobs } = world.model;
  switch (chance.pick(["image", "image", "container", "lease", "label", "resource"])) {
    case "image": {
      const name = chance.pick([...images.keys()]);
      if (name !== undefined) await world.removeImage(name);
      return;
    }
    case "container": {
      const id = chance.pick([...containers.keys()]);
      if (id !== undefined) await world.removeContainer(id);
      return;
    }
    case "lease": {
      const id = chance.pick([...leases.keys()]);
      if (id !== undefined) await world.removeLease(id);
      return;
    }
    case "label": {
      const digest = chance.pick([...blobs.keys()]);
      if (digest !== undefined) await world.label(digest, onlyLess ? {} : someLabels(world, chance));
      return;
    }
    default: {
      const [id, lease] = chance.pick([...leases]) ?? [];
      const resource = lease && chance.pick([...lease.resources]);
      if (id !== undefined && resource !== undefined) await world.removeResource(id, resource);
    }
  }
}

/** What a client does that pulls an image: everything under a lease until the image names it. */
export async function pull(world: World, index: number): Promise<void> {
  const lease = `pull ${index}`;
  await world.lease(lease);
  const layer = await world.upload(`layer of pull ${index}`, {}, lease);
  const top = `pulled ${index}`;
  await world.layer(top, "", {}, lease);
  const manifest = await world.upload(
    `manifest ${index} of ${world.name}`,
    {
      "containerd.io/gc.ref.content.l.0": layer,
      [`containerd.io/gc.ref.snapshot.${snapshotter}`]: top,
    },
    lease,
  );
  await world.image(`pulled ${index}`, manifest);
  await world.removeLease(lease);
}

function someLabels(world: World, chance: Chance): Labels {
  const labels: Record<string, string> = {};
  if (chance.happens(0.15)) labels[root] = "any";
  for (let index = 0; index < chance.between(0, 2); index++) {
    const suffix = chance.pick(["", `.l.${index}`, `/x${index}`, `x${index}`]) ?? "";
    if (chance.happens(0.6)) labels[`containerd.io/gc.ref.content${suffix}`] = someDigest(world, chance);
    else if (chance.happens(0.8)) {
      const key = chance.pick([...world.model.snapshots.keys(), "layer 4"]) ?? "";
      labels[`containerd.io/gc.ref.snapshot.${snapshotter}${suffix.startsWith("/") ? suffix : ""}`] = key;
    } else labels["containerd.io/gc.ref.image"] = `image ${chance.between(0, 2)}`;
  }
  if (chance.happens(0.2)) addKeeper(world, chance, labels);
  return labels;
}

/** A label that says what keeps its object: something that may be there, now or later. */
function addKeeper(world: World, chance: Chance, labels: Record<string, string>): void {
  const prefix = "containerd.io/gc.bref";
  switch (chance.pick(["content", "image", "container", "snapshot"])) {
    case "content":
      labels[`${prefix}.content.subject`] = someDigest(world, chance);
      return;
    case "image":
      labels[`${prefix}.image`] = `image ${chance.between(0, 2)}`;
      return;
    case "container":
      labels[`${prefix}.container/x`] = `container-${chance.between(0, 1)}`;
      return;
    default:
      labels[`${prefix}.snapshot.${snapshotter}`] = chance.pick([...world.model.snapshots.keys(), "layer 4"]) ?? "";
  }
}

/** Of a blob that may be there, now or later. */
function someDigest(world: World, chance: Chance): string {
  return digestOf(textOf(world, chance.between(0, 6)));
}

function someLease(world: World, chance: Chance): string | undefined {
  return chance.happens(0.4) ? chance.pick([...world.model.leases.keys()]) : undefined;
}

/** Snapshots that can be parents: those that were committed. */
function committedOf(world: World): string[] {
  return [...world.model.snapshots.keys()].filter((key) => key.startsWith("layer"));
}
