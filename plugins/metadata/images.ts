import type { Image } from "#proto/gen/containerd/services/images/v1/images_pb.ts";
import { classedError } from "#proto/wire/errors.ts";
import { parseMaskPath, updateEntry } from "#proto/wire/field-mask.ts";
import { filterField, filterLabel, type FilterAdaptor } from "#proto/wire/filters.ts";
import { quote } from "#proto/wire/identifiers.ts";
import { timestampNow } from "#proto/wire/timestamp.ts";
import type { Reader } from "../shared/database/reader.ts";
import { tables } from "./database/tables.ts";
import type { Transaction } from "../shared/database/transaction.ts";
import { checkImage, type ImageFields } from "./image-rules.ts";
import { ensureNamespace } from "./namespaces.ts";
import { storedLabels } from "./stored-labels.ts";

const maskRules = { whole: ["labels", "target", "annotations"], keyed: ["labels", "annotations"] };

/** Throws not-found. */
export function getImage(reader: Reader, namespace: string, name: string): Image {
  const image = reader.get(tables.image, [namespace, name]);
  if (image === undefined) throw notFound(name);
  return image;
}

/** The same, serialized. */
export function getImageBytes(reader: Reader, namespace: string, name: string): Uint8Array {
  const bytes = reader.getBytes(tables.image, [namespace, name]);
  if (bytes === undefined) throw notFound(name);
  return bytes;
}

/** Throws invalid-argument, already-exists. Times of the request are ignored. */
export function createImage(tx: Transaction, namespace: string, image: ImageFields): Image {
  checkImage(image);
  if (tx.has(tables.image, [namespace, image.name])) {
    throw classedError("already-exists", `image ${quote(image.name)}`);
  }
  ensureNamespace(tx, namespace);
  const now = timestampNow();
  return putImage(tx, namespace, { ...image, createdAt: now, updatedAt: now });
}

/** Replaces the fields named by `paths`; none: all. Throws not-found, invalid-argument. */
export function updateImage(tx: Transaction, namespace: string, image: ImageFields, paths: readonly string[]): Image {
  const stored = getImage(tx, namespace, image.name);
  const updated =
    paths.length === 0 ? image : paths.reduce((fields, path) => applyPath(fields, image, path), fieldsOf(stored));
  checkImage(updated);
  return putImage(tx, namespace, { ...updated, createdAt: stored.createdAt, updatedAt: timestampNow() });
}

/** Throws not-found. */
export function deleteImage(tx: Transaction, namespace: string, name: string): void {
  if (!tx.has(tables.image, [namespace, name])) throw notFound(name);
  tx.remove(tables.image, [namespace, name]);
}

/** What filters see of an image. */
export function imageAdaptor({ name, labels, target }: Image): FilterAdaptor {
  return ([field, ...rest]) => {
    switch (field) {
      case "name":
        return filterField(name);
      case "target":
        if (rest[0] === "digest") return filterField(target?.digest ?? "");
        if (rest[0] === "mediatype") return filterField(target?.mediaType ?? "");
        return filterField(undefined);
      case "labels":
        return filterLabel(labels, rest);
      case "annotations":
        return filterLabel(target?.annotations ?? {}, rest);
      default:
        return filterField(undefined);
    }
  };
}

/** An image of a request, or a stored one, as fields to check and store. */
export function fieldsOf(image: Image | undefined): ImageFields {
  const { mediaType = "", digest = "", size = 0n, annotations = {} } = image?.target ?? {};
  return { name: image?.name ?? "", labels: image?.labels ?? {}, target: { mediaType, digest, size, annotations } };
}

function applyPath(fields: ImageFields, wanted: ImageFields, path: string): ImageFields {
  const mask = parseMaskPath(path, maskRules);
  const { target } = fields;
  switch (mask?.field) {
    case "labels":
      return { ...fields, labels: entries(fields.labels, wanted.labels, mask.key) };
    case "annotations":
      return {
        ...fields,
        target: { ...target, annotations: entries(target.annotations, wanted.target.annotations, mask.key) },
      };
    case "target":
      return { ...fields, target: wanted.target };
    default:
      throw classedError("invalid-argument", `cannot update ${quote(path)} field on image ${quote(fields.name)}`);
  }
}

type Entries = Readonly<Record<string, string>>;

function entries(stored: Entries, wanted: Entries, key: string | undefined): Entries {
  return key === undefined ? wanted : updateEntry(stored, wanted, key);
}

function putImage(
  tx: Transaction,
  namespace: string,
  { name, labels, target, createdAt, updatedAt }: ImageFields & Pick<Image, "createdAt" | "updatedAt">,
): Image {
  const kept = storedLabels(`writing labels for image ${name}: `, labels);
  const annotations = storedLabels(`writing Annotations for image ${name}: `, target.annotations);
  return tx.put(tables.image, [namespace, name], {
    name,
    labels: kept,
    target: { ...target, annotations },
    ...(createdAt && { createdAt }),
    ...(updatedAt && { updatedAt }),
  });
}

function notFound(name: string): Error {
  return classedError("not-found", `image ${quote(name)}`);
}
