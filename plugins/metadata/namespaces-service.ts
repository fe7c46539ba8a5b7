import { embedMessages, implement, type Service } from "bulkhead/plugin";
import {
  NamespaceCreateSchema,
  NamespaceDeleteSchema,
  NamespaceUpdateSchema,
} from "#proto/gen/containerd/events/events_pb.ts";
import { Namespaces, type Namespace } from "#proto/gen/containerd/services/namespaces/v1/namespaces_pb.ts";
import { HostError } from "#proto/wire/errors.ts";
import { parseMaskPath } from "#proto/wire/field-mask.ts";
import { quote } from "#proto/wire/identifiers.ts";
import type { Database } from "../shared/database/database.ts";
import { tables } from "./database/tables.ts";
import type { Transaction } from "../shared/database/transaction.ts";
import { publishNamespaceEvent } from "./event-namespace.ts";
import {
  createNamespace,
  deleteNamespace,
  labelsOfNamespace,
  replaceNamespaceLabels,
  setNamespaceLabels,
} from "./namespaces.ts";

/** containerd.services.namespaces.v1 over the database (containerd services/namespaces/local.go). */
export function namespacesService(database: Database): Service {
  return implement(Namespaces, {
    get: ({ name }) => ({ namespace: { name, labels: labelsOfNamespace(database, name) } }),
    list: () => embedMessages(1, [...database.rangeBytes(tables.namespace, [])]),
    async create({ namespace }, { metadata }) {
      const { name, labels } = fieldsOf(namespace);
      const failure = await database.write((tx) => {
        createNamespace(tx, name, labels);
        return publishNamespaceEvent(tx, metadata, "/namespaces/create", NamespaceCreateSchema, { name, labels });
      });
      if (failure !== undefined) throw failure;
      return { namespace: { name, labels } };
    },
    async update({ namespace, updateMask }, { metadata }) {
      const { name, labels } = fieldsOf(namespace);
      const failure = await database.write((tx) => {
        updateLabels(tx, { name, labels }, updateMask?.paths ?? []);
        return publishNamespaceEvent(tx, metadata, "/namespaces/update", NamespaceUpdateSchema, { name, labels });
      });
      if (failure !== undefined) throw failure;
      return { namespace: {} };
    },
    async delete({ name }) {
      const metadata = { "containerd-namespace": name };
      const failure = await database.write((tx) => {
        deleteNamespace(tx, name);
        return publishNamespaceEvent(tx, metadata, "/namespaces/delete", NamespaceDeleteSchema, { name });
      });
      if (failure !== undefined) throw failure;
      return {};
    },
  });
}

interface Fields {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

function fieldsOf(namespace: Namespace | undefined): Fields {
  return { name: namespace?.name ?? "", labels: namespace?.labels ?? {} };
}

function updateLabels(tx: Transaction, { name, labels }: Fields, paths: readonly string[]): void {
  if (paths.length === 0) {
    replaceNamespaceLabels(tx, name, labels);
    return;
  }
  for (const path of paths) {
    const key = parseMaskPath(path, { whole: [], keyed: ["labels"] })?.key;
    if (key === undefined) throw new HostError("invalid-argument", `cannot update ${quote(path)} field`);
    setNamespaceLabels(tx, name, { [key]: labels[key] ?? "" });
  }
}
