/**
 * What a namespace holds and what keeps what, in the plainest words: objects by name, and a search that looks at
 * everything again until nothing is added. Shares no code with what it is compared with.
 */
export interface ModelNamespace {
  /** Name to target digest and labels. */
  readonly images: Map<string, { digest: string; labels: Labels }>;
  /** Id to snapshot and labels. */
  readonly containers: Map<string, { snapshot: string; labels: Labels }>;
  /** Id to labels and what it lists, as `type id`. */
  readonly leases: Map<string, { labels: Labels; resources: Set<string> }>;
  /** Digest to labels. */
  readonly blobs: Map<string, Labels>;
  /** Key to parent and labels. */
  readonly snapshots: Map<string, { parent: string; labels: Labels }>;
  /** Ref to whether it is made without a lease, which keeps it for a day. */
  readonly ingests: Map<string, boolean>;
}

export type Labels = Readonly<Record<string, string>>;

/** The one snapshotter of the model. */
export const snapshotter = "folder";

export function emptyNamespace(): ModelNamespace {
  return {
    images: new Map(),
    containers: new Map(),
    leases: new Map(),
    blobs: new Map(),
    snapshots: new Map(),
    ingests: new Map(),
  };
}

/** Removes what nothing keeps. */
export function collectModel(namespace: ModelNamespace): void {
  for (const [id, { labels }] of namespace.leases) if (isOver(labels)) namespace.leases.delete(id);
  const kept = keptObjects(namespace);
  for (const digest of namespace.blobs.keys()) if (!kept.has(`blob ${digest}`)) namespace.blobs.delete(digest);
  for (const key of namespace.snapshots.keys()) if (!kept.has(`snapshot ${key}`)) namespace.snapshots.delete(key);
  for (const ref of namespace.ingests.keys()) if (!kept.has(`ingest ${ref}`)) namespace.ingests.delete(ref);
  for (const name of namespace.images.keys()) if (!kept.has(`image ${name}`)) namespace.images.delete(name);
}

/** `full` objects keep what their labels name, too. */
function keptObjects(namespace: ModelNamespace): Set<string> {
  const full = new Set<string>();
  const flat = new Set<string>();
  const addLabels = (labels: Labels): void => {
    for (const [key, value] of Object.entries(labels)) {
      if (/^containerd\.io\/gc\.ref\.content($|[./])/.test(key)) full.add(`blob ${value}`);
      if (/^containerd\.io\/gc\.ref\.image($|[./])/.test(key)) full.add(`image ${value}`);
      if (key.split("/").slice(0, 2).join("/") === `containerd.io/gc.ref.snapshot.${snapshotter}`) {
        full.add(`snapshot ${value}`);
      }
    }
  };
  const keepers: Readonly<Record<string, readonly [kind: string, objects: ReadonlyMap<string, unknown>]>> = {
    content: ["blob", namespace.blobs],
    image: ["image", namespace.images],
    container: ["container", namespace.containers],
    snapshot: ["snapshot", namespace.snapshots],
  };
  const addIfKept = (object: string, labels: Labels): void => {
    for (const [key, value] of Object.entries(labels)) {
      const name = /^containerd\.io\/gc\.bref\.(content|image|container|snapshot)(?:$|[./])/.exec(key)?.[1] ?? "";
      const [kind, objects] = keepers[name] ?? [];
      if (objects?.has(value) === true && full.has(`${kind} ${value}`)) full.add(object);
    }
  };
  for (const id of namespace.containers.keys()) full.add(`container ${id}`);
  for (const [name, { labels }] of namespace.images) if (!isOver(labels)) full.add(`image ${name}`);
  for (const { snapshot, labels } of namespace.containers.values()) {
    if (snapshot !== "") full.add(`snapshot ${snapshot}`);
    addLabels(labels);
  }
  for (const { labels, resources } of namespace.leases.values()) {
    for (const resource of resources) (labels["containerd.io/gc.flat"] === undefined ? full : flat).add(resource);
  }
  for (const [digest, labels] of namespace.blobs) if ("containerd.io/gc.root" in labels) full.add(`blob ${digest}`);
  for (const [key, { labels }] of namespace.snapshots) {
    if ("containerd.io/gc.root" in labels) full.add(`snapshot ${key}`);
  }
  for (const [ref, isFree] of namespace.ingests) if (isFree) full.add(`ingest ${ref}`);
  for (let before = -1; before !== full.size + flat.size; ) {
    before = full.size + flat.size;
    for (const [name, { digest, labels }] of namespace.images) {
      addIfKept(`image ${name}`, labels);
      if (!full.has(`image ${name}`)) continue;
      full.add(`blob ${digest}`);
      addLabels(labels);
    }
    for (const [digest, labels] of namespace.blobs) {
      addIfKept(`blob ${digest}`, labels);
      if (full.has(`blob ${digest}`)) addLabels(labels);
    }
    for (const [key, { parent, labels }] of namespace.snapshots) {
      addIfKept(`snapshot ${key}`, labels);
      if (full.has(`snapshot ${key}`)) {
        if (parent !== "") full.add(`snapshot ${parent}`);
        addLabels(labels);
      } else if (flat.has(`snapshot ${key}`) && parent !== "") flat.add(`snapshot ${parent}`);
    }
  }
  return new Set([...full, ...flat]);
}

function isOver(labels: Labels): boolean {
  const text = labels["containerd.io/gc.expire"];
  return text !== undefined && new Date(text).getTime() < Date.now();
}
