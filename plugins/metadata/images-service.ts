import { embedMessages, implement, type Service } from "bulkhead/plugin";
import {
  ImageCreateSchema,
  ImageDeleteSchema,
  Images,
  ImageUpdateSchema,
} from "#proto/gen/containerd/services/images/v1/images_pb.ts";
import { HostError } from "#proto/wire/errors.ts";
import { namespaceOf } from "#proto/wire/identifiers.ts";
import type { Database } from "../shared/database/database.ts";
import { tables } from "./database/tables.ts";
import type { Garbage } from "./gc/garbage.ts";
import { createImage, deleteImage, fieldsOf, getImageBytes, imageAdaptor, updateImage } from "./images.ts";
import { compileObjectFilters, listRecords } from "./listing.ts";

/** containerd.services.images.v1 over the database (containerd services/images/local.go); answers are records as stored. */
export function imagesService(database: Database, garbage: Garbage): Service {
  return implement(Images, {
    get: ({ name }, { metadata }) => embedMessages(1, [getImageBytes(database, namespaceOf(metadata), name)]),
    list({ filters }, { metadata }) {
      const namespace = namespaceOf(metadata);
      const filter = compileObjectFilters(filters);
      return listRecords(database, { table: tables.image, namespace, filter, adaptor: imageAdaptor });
    },
    async create({ image }, { metadata }) {
      const fields = fieldsOf(image);
      if (fields.name === "") throw nameRequired();
      const namespace = namespaceOf(metadata);
      return database.write((tx) => {
        const created = createImage(tx, namespace, fields);
        const { name, labels } = created;
        tx.publish(namespace, "/images/create", ImageCreateSchema, { name, labels });
        return embedMessages(1, [getImageBytes(tx, namespace, name)]);
      });
    },
    async update({ image, updateMask }, { metadata }) {
      const fields = fieldsOf(image);
      if (fields.name === "") throw nameRequired();
      const namespace = namespaceOf(metadata);
      return database.write((tx) => {
        const updated = updateImage(tx, namespace, fields, updateMask?.paths ?? []);
        const { name, labels } = updated;
        tx.publish(namespace, "/images/update", ImageUpdateSchema, { name, labels });
        return embedMessages(1, [getImageBytes(tx, namespace, name)]);
      });
    },
    async delete({ name, sync }, { metadata, signal }) {
      const namespace = namespaceOf(metadata);
      await database.write((tx) => {
        deleteImage(tx, namespace, name);
        tx.publish(namespace, "/images/delete", ImageDeleteSchema, { name });
      });
      if (sync) await garbage.collect(signal);
      return {};
    },
  });
}

function nameRequired(): HostError {
  return new HostError("invalid-argument", "Image.Name required");
}
