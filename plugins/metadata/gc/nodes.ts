import type { Image } from "#proto/gen/containerd/services/images/v1/images_pb.ts";
import type { Container } from "#proto/gen/containerd/services/containers/v1/containers_pb.ts";
import type { LeaseResource } from "../lease-resources.ts";

/** An object of a namespace that can be collected, or keeps others; a text that is equal for equal objects. */
export type Node = string;

type Labels = Readonly<Record<string, string>>;

export const blobNode = (digest: string): Node => `blob\0${digest}`;
export const snapshotNode = (snapshotter: string, key: string): Node => `snapshot\0${snapshotter}\0${key}`;
export const ingestNode = (ref: string): Node => `ingest\0${ref}`;
export const imageNode = (name: string): Node => `image\0${name}`;
export const containerNode = (id: string): Node => `container\0${id}`;
export const leaseNode = (id: string): Node => `lease\0${id}`;

/** What a node names. */
export type Named =
  | { readonly kind: "blob"; readonly digest: string }
  | { readonly kind: "snapshot"; readonly snapshotter: string; readonly key: string }
  | { readonly kind: "ingest"; readonly ref: string }
  | { readonly kind: "image"; readonly name: string }
  | { readonly kind: "container"; readonly id: string }
  | { readonly kind: "lease"; readonly id: string };

/** Reads a node back. */
export function namedBy(node: Node): Named {
  const [kind, ...rest] = node.split("\0");
  const name = rest.join("\0");
  switch (kind) {
    case "blob":
      return { kind, digest: name };
    case "snapshot":
      return { kind, snapshotter: rest[0] ?? "", key: rest.slice(1).join("\0") };
    case "ingest":
      return { kind, ref: name };
    case "image":
      return { kind, name };
    case "container":
      return { kind, id: name };
    default:
      return { kind: "lease", id: name };
  }
}

const expireLabel = "containerd.io/gc.expire";

/** Whether an object is kept for its own sake; the label's value means nothing. */
export function isRoot(labels: Labels): boolean {
  return (labels["containerd.io/gc.root"] ?? "") !== "";
}

/** Whether a lease keeps only what it lists, and not what that refers to. */
export function isFlat(labels: Labels): boolean {
  return (labels["containerd.io/gc.flat"] ?? "") !== "";
}

/** Whether an object's time is over; a time that cannot be read is none. */
export function isExpired(labels: Labels, nowMs: number): boolean {
  const text = labels[expireLabel];
  if (text === undefined || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text)) return false;
  const expiresMs = Date.parse(text);
  return !Number.isNaN(expiresMs) && expiresMs < nowMs;
}

/** What labels refer to (containerd metadata/gc.go, sendLabelRefs; images since 2.0). */
export function labelLinks(labels: Labels): Node[] {
  return nodesUnder("containerd.io/gc.ref.", labels).filter((node) => namedBy(node).kind !== "container");
}

/** What labels say keeps their object (back references, since 2.2). */
export function labelKeepers(labels: Labels): Node[] {
  return nodesUnder("containerd.io/gc.bref.", labels);
}

/** What labels with a prefix name: `content`, `image` or `container` and perhaps a name, `snapshot.` and a snapshotter. */
function nodesUnder(prefix: string, labels: Labels): Node[] {
  const nodes: Node[] = [];
  for (const [key, value] of Object.entries(labels)) {
    if (!key.startsWith(prefix)) continue;
    const rest = key.slice(prefix.length);
    if (isKind(rest, "content")) nodes.push(blobNode(value));
    else if (isKind(rest, "image")) nodes.push(imageNode(value));
    else if (isKind(rest, "container")) nodes.push(containerNode(value));
    else if (rest.startsWith("snapshot.")) {
      const [snapshotter = ""] = rest.slice("snapshot.".length).split("/", 1);
      nodes.push(snapshotNode(snapshotter, value));
    }
  }
  return nodes;
}

export function imageLinks({ target, labels }: Pick<Image, "target" | "labels">): Node[] {
  return [blobNode(target?.digest ?? ""), ...labelLinks(labels)];
}

export function containerLinks({ snapshotter, snapshotKey, labels }: Container): Node[] {
  return [...(snapshotter === "" ? [] : [snapshotNode(snapshotter, snapshotKey)]), ...labelLinks(labels)];
}

/** What a lease lists. */
export function resourceNode({ type, id }: LeaseResource): Node {
  if (type === "content") return blobNode(id);
  if (type === "ingests") return ingestNode(id);
  return snapshotNode(type.slice("snapshots/".length), id);
}

/** A name may follow, behind a dot or a slash. */
function isKind(text: string, kind: string): boolean {
  return text === kind || text.startsWith(`${kind}.`) || text.startsWith(`${kind}/`);
}
