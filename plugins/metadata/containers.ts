import { create } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { ContainerSchema, type Container } from "#proto/gen/containerd/services/containers/v1/containers_pb.ts";
import { classedError } from "#proto/wire/errors.ts";
import { parseMaskPath, updateEntry } from "#proto/wire/field-mask.ts";
import { filterField, filterLabel, type FilterAdaptor } from "#proto/wire/filters.ts";
import { quote } from "#proto/wire/identifiers.ts";
import { timestampNow } from "#proto/wire/timestamp.ts";
import { checkContainer } from "./container-rules.ts";
import type { Reader } from "../shared/database/reader.ts";
import { tables } from "./database/tables.ts";
import type { Transaction } from "../shared/database/transaction.ts";
import { ensureNamespace, traceOf } from "./namespaces.ts";
import { storedLabels } from "./stored-labels.ts";

const fullUpdate = ["labels", "spec", "extensions", "image", "snapshotkey"];
const maskRules = { whole: fullUpdate, keyed: ["labels", "extensions"] };

/** The container, serialized. Throws not-found. */
export function getContainerBytes(reader: Reader, namespace: string, id: string): Uint8Array {
  const bytes = reader.getBytes(tables.container, [namespace, id]);
  if (bytes === undefined) {
    throw classedError("not-found", `container ${quote(id)} in namespace ${quote(namespace)}`);
  }
  return bytes;
}

/** What an update answers, and whether that is what is stored. */
export interface UpdatedContainer {
  readonly updated: Container;
  readonly isStored: boolean;
}

/** Throws invalid-argument, already-exists. Times of the request are ignored. */
export function createContainer(tx: Transaction, namespace: string, container: Container): Container {
  checkContainer("create container failed validation", container);
  if (tx.has(tables.container, [namespace, container.id])) {
    throw classedError("already-exists", `container ${quote(container.id)}`);
  }
  ensureNamespace(tx, namespace);
  const trace = traceOf(tx, namespace);
  if (!trace.hadContainer) tx.put(tables.namespaceTrace, [namespace], { ...trace, hadContainer: true });
  const now = timestampNow();
  return putContainer(tx, namespace, { ...container, createdAt: now, updatedAt: now });
}

/** Replaces the fields named by `paths`; none: all that may change. Throws not-found, invalid-argument. */
export function updateContainer(
  tx: Transaction,
  namespace: string,
  container: Container,
  paths: readonly string[],
): UpdatedContainer {
  const stored = tx.get(tables.container, [namespace, container.id]);
  if (stored === undefined) throw missing(tx, "update", namespace, container.id, `container ${quote(container.id)}`);
  if (paths.length === 0) checkImmutable(stored, container);
  const masked = (paths.length === 0 ? fullUpdate : paths).reduce(
    (fields, path) => applyPath(fields, container, path),
    stored,
  );
  checkContainer("update failed validation", masked);
  const updated = { ...masked, updatedAt: timestampNow() };
  // containerd never removes an extension from its database: one left out of the request is answered as gone and
  // is back at the next Get.
  const kept = putContainer(tx, namespace, { ...updated, extensions: { ...stored.extensions, ...masked.extensions } });
  const isStored = Object.keys(stored.extensions).every((key) => Object.hasOwn(masked.extensions, key));
  return { updated: isStored ? kept : { ...updated, labels: kept.labels }, isStored };
}

/** Throws not-found. */
export function deleteContainer(tx: Transaction, namespace: string, id: string): void {
  if (!tx.has(tables.container, [namespace, id])) throw missing(tx, "delete", namespace, id, `container ${id}`);
  tx.remove(tables.container, [namespace, id]);
}

/** What filters see of a container. */
export function containerAdaptor({ id, image, labels, runtime }: Container): FilterAdaptor {
  return ([field, ...rest]) => {
    switch (field) {
      case "id":
        return filterField(id === "" ? undefined : id);
      case "runtime":
        return filterField(rest[0] === "name" && runtime?.name !== "" ? runtime?.name : undefined);
      case "image":
        return filterField(image === "" ? undefined : image);
      case "labels":
        return filterLabel(labels, rest);
      default:
        return filterField(undefined);
    }
  };
}

function checkImmutable(stored: Container, wanted: Container): void {
  if (stored.snapshotter !== wanted.snapshotter) {
    throw classedError("invalid-argument", "container.Snapshotter field is immutable");
  }
  if ((stored.runtime?.name ?? "") !== (wanted.runtime?.name ?? "")) {
    throw classedError("invalid-argument", "container.Runtime.Name field is immutable");
  }
}

function applyPath(fields: Container, wanted: Container, path: string): Container {
  const mask = parseMaskPath(path, maskRules);
  switch (mask?.field) {
    case "labels":
      return { ...fields, labels: replaced(fields.labels, wanted.labels, mask.key) };
    case "extensions":
      if (mask.key === undefined) return { ...fields, extensions: wanted.extensions };
      // A masked key that the request lacks becomes an empty Any, as containerd stores it.
      return {
        ...fields,
        extensions: { ...fields.extensions, [mask.key]: wanted.extensions[mask.key] ?? create(AnySchema) },
      };
    case "spec": {
      const { spec: _, ...rest } = fields;
      return wanted.spec === undefined ? rest : { ...rest, spec: wanted.spec };
    }
    case "image":
      return { ...fields, image: wanted.image };
    case "snapshotkey":
      return { ...fields, snapshotKey: wanted.snapshotKey };
    default:
      throw classedError("invalid-argument", `cannot update ${quote(path)} field on ${quote(fields.id)}`);
  }
}

type Labels = Record<string, string>;

function replaced(stored: Labels, wanted: Labels, key: string | undefined): Labels {
  return key === undefined ? wanted : updateEntry(stored, wanted, key);
}

function putContainer(tx: Transaction, namespace: string, container: Container): Container {
  const labels = storedLabels(`failed to write container ${quote(container.id)}: `, container.labels);
  const record = create(ContainerSchema, { ...container, labels });
  tx.put(tables.container, [namespace, container.id], record);
  return record;
}

/** containerd tells a namespace that never had a container from one that lacks this container. */
function missing(reader: Reader, verb: string, namespace: string, id: string, otherwise: string): Error {
  if (traceOf(reader, namespace).hadContainer) return classedError("not-found", otherwise);
  return classedError("not-found", `cannot ${verb} container ${quote(id)} in namespace ${quote(namespace)}`);
}
