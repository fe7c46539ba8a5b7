import type { Info } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { digestProblem } from "#proto/wire/digest.ts";
import { classedError } from "#proto/wire/errors.ts";
import { parseMaskPath, updateEntry } from "#proto/wire/field-mask.ts";
import { filterField, filterLabel, type FilterAdaptor } from "#proto/wire/filters.ts";
import { quote } from "#proto/wire/identifiers.ts";
import { validateLabels } from "#proto/wire/labels.ts";
import { timestampNow } from "#proto/wire/timestamp.ts";
import type { Reader } from "../../shared/database/reader.ts";
import { tables } from "../database/tables.ts";
import type { Transaction } from "../../shared/database/transaction.ts";
import { putTrash } from "../gc/trash.ts";
import { leaveLease } from "../lease-resources.ts";
import { storedLabels } from "../stored-labels.ts";

type Labels = Readonly<Record<string, string>>;

const maskRules = { whole: ["labels"], keyed: ["labels"] };

/** What a namespace knows of a blob it has. Throws not-found, whatever the store holds for others. */
export function getBlob(reader: Reader, namespace: string, digest: string): Info {
  const blob = reader.get(tables.blob, [namespace, digest]);
  if (blob === undefined) throw classedError("not-found", `content digest ${digest}`);
  return blob;
}

/** Whether a namespace has a blob; a text that is no digest names none. */
export function hasBlob(reader: Reader, namespace: string, digest: string): boolean {
  return digestProblem(digest) === undefined && reader.has(tables.blob, [namespace, digest]);
}

/** Replaces labels: those named by `paths`; none: all. Throws not-found, invalid-argument. */
export function updateBlob(
  tx: Transaction,
  namespace: string,
  { digest, labels }: { readonly digest: string; readonly labels: Labels },
  paths: readonly string[],
): Info {
  const stored = getBlob(tx, namespace, digest);
  const masked = (paths.length === 0 ? ["labels"] : paths).reduce<Labels>((kept, path) => {
    const mask = parseMaskPath(path, maskRules);
    if (mask === undefined) {
      throw classedError("invalid-argument", `cannot update ${quote(path)} field on content info ${quote(digest)}`);
    }
    return mask.key === undefined ? labels : updateEntry(kept, labels, mask.key);
  }, stored.labels);
  validateLabels("info.Labels", masked);
  return tx.put(tables.blob, [namespace, digest], {
    ...stored,
    labels: storedLabels(`writing labels for info ${digest}: `, masked),
    updatedAt: timestampNow(),
  });
}

/**
 * Takes a blob from a namespace, and from the call's lease. Its bytes stay in the store until a collection finds
 * that no namespace has it. Throws not-found.
 */
export function deleteBlob(tx: Transaction, namespace: string, lease: string | undefined, digest: string): void {
  getBlob(tx, namespace, digest);
  tx.remove(tables.blob, [namespace, digest]);
  putTrash(tx, "content", digest);
  leaveLease(tx, namespace, lease, { type: "content", id: digest });
}

/** What filters see of a blob. */
export function blobAdaptor({ digest, labels }: Info): FilterAdaptor {
  return ([field, ...rest]) => {
    switch (field) {
      case "digest":
        return filterField(digest);
      case "labels":
        return filterLabel(labels, rest);
      default:
        return filterField(undefined);
    }
  };
}
