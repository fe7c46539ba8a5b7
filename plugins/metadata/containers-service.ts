import { create } from "@bufbuild/protobuf";
import { embedMessages, implement, type Service } from "bulkhead/plugin";
import {
  ContainerCreateSchema,
  ContainerDeleteSchema,
  ContainerUpdateSchema,
} from "#proto/gen/containerd/events/events_pb.ts";
import {
  Containers,
  ContainerSchema,
  type Container,
} from "#proto/gen/containerd/services/containers/v1/containers_pb.ts";
import { HostError } from "#proto/wire/errors.ts";
import { namespaceOf } from "#proto/wire/identifiers.ts";
import {
  containerAdaptor,
  createContainer,
  deleteContainer,
  getContainerBytes,
  updateContainer,
} from "./containers.ts";
import type { Database } from "../shared/database/database.ts";
import { tables } from "./database/tables.ts";
import { compileObjectFilters, listBlocks, listRecords } from "./listing.ts";

const emptyContainer = create(ContainerSchema);

/** containerd.services.containers.v1 over the database (containerd services/containers/local.go). */
export function containersService(database: Database): Service {
  const listing = (filters: readonly string[], metadata: Readonly<Record<string, string>>) => ({
    table: tables.container,
    namespace: namespaceOf(metadata),
    filter: compileObjectFilters(filters),
    adaptor: containerAdaptor,
  });
  return implement(Containers, {
    get: ({ id }, { metadata }) => embedMessages(1, [getContainerBytes(database, namespaceOf(metadata), id)]),
    list: ({ filters }, { metadata }) => listRecords(database, listing(filters, metadata)),
    async *listStream({ filters }, { metadata }) {
      for (const block of listBlocks(database, listing(filters, metadata))) {
        for (const container of block) yield { container };
      }
    },
    async create({ container = emptyContainer }, { metadata }) {
      const namespace = namespaceOf(metadata);
      return database.write((tx) => {
        const created = createContainer(tx, namespace, container);
        tx.publish(namespace, "/containers/create", ContainerCreateSchema, createEventOf(created));
        return embedMessages(1, [getContainerBytes(tx, namespace, created.id)]);
      });
    },
    async update({ container = emptyContainer, updateMask }, { metadata }) {
      if (container.id === "") throw new HostError("invalid-argument", "Container.ID required");
      const namespace = namespaceOf(metadata);
      return database.write((tx) => {
        const { updated, isStored } = updateContainer(tx, namespace, container, updateMask?.paths ?? []);
        const { id, image, labels, snapshotKey } = updated;
        tx.publish(namespace, "/containers/update", ContainerUpdateSchema, { id, image, labels, snapshotKey });
        return isStored ? embedMessages(1, [getContainerBytes(tx, namespace, id)]) : { container: updated };
      });
    },
    async delete({ id }, { metadata }) {
      const namespace = namespaceOf(metadata);
      return database.write((tx) => {
        deleteContainer(tx, namespace, id);
        tx.publish(namespace, "/containers/delete", ContainerDeleteSchema, { id });
        return {};
      });
    },
  });
}

function createEventOf({ id, image, runtime }: Container) {
  const { name = "", options } = runtime ?? {};
  return { id, image, runtime: { name, ...(options && { options }) } };
}
