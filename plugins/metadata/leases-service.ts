import { create } from "@bufbuild/protobuf";
import { implement, type Service } from "bulkhead/plugin";
import { Leases, ResourceSchema } from "#proto/gen/containerd/services/leases/v1/leases_pb.ts";
import { namespaceOf } from "#proto/wire/identifiers.ts";
import type { Database } from "../shared/database/database.ts";
import { tables } from "./database/tables.ts";
import type { Garbage } from "./gc/garbage.ts";
import { addLeaseResource, listLeaseResources, removeLeaseResource } from "./lease-resources.ts";
import { createLease, deleteLease, leaseAdaptor } from "./leases.ts";
import { compileObjectFilters, listRecords } from "./listing.ts";

const emptyResource = create(ResourceSchema);

/** containerd.services.leases.v1 over the database (containerd services/leases/service.go). No events. */
export function leasesService(database: Database, garbage: Garbage): Service {
  return implement(Leases, {
    async create({ id, labels }, { metadata }) {
      const namespace = namespaceOf(metadata);
      return { lease: await database.write((tx) => createLease(tx, namespace, id, labels)) };
    },
    async delete({ id, sync }, { metadata, signal }) {
      const namespace = namespaceOf(metadata);
      await database.write((tx) => deleteLease(tx, namespace, id));
      if (sync) await garbage.collect(signal);
      return {};
    },
    list({ filters }, { metadata }) {
      const namespace = namespaceOf(metadata);
      const filter = compileObjectFilters(filters);
      return listRecords(database, { table: tables.lease, namespace, filter, adaptor: leaseAdaptor });
    },
    async addResource({ id, resource = emptyResource }, { metadata }) {
      const namespace = namespaceOf(metadata);
      await database.write((tx) => addLeaseResource(tx, namespace, id, resource));
      return {};
    },
    async deleteResource({ id, resource = emptyResource }, { metadata }) {
      const namespace = namespaceOf(metadata);
      await database.write((tx) => removeLeaseResource(tx, namespace, id, resource));
      garbage.deleted();
      return {};
    },
    listResources: ({ id }, { metadata }) => ({
      resources: listLeaseResources(database, namespaceOf(metadata), id),
    }),
  });
}
