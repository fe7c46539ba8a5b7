import { Containers } from "#proto/gen/containerd/services/containers/v1/containers_pb.ts";
import { Content, WriteAction } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { Images } from "#proto/gen/containerd/services/images/v1/images_pb.ts";
import { Leases } from "#proto/gen/containerd/services/leases/v1/leases_pb.ts";
import { Snapshots } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import { isHostError } from "#proto/wire/errors.ts";
import { clientOf, type Channel, type Client } from "#rpc";
import { digestOf, exchange, uploadOf } from "../content-client.ts";
import { inNamespace } from "../metadata-server.ts";
import { emptyNamespace, snapshotter, type Labels, type ModelNamespace } from "./model.ts";

/** A namespace of the real services and of the model, changed together. */
export class World {
  readonly name: string;
  readonly model: ModelNamespace = emptyNamespace();
  readonly images: Client<typeof Images>;
  readonly containers: Client<typeof Containers>;
  readonly leases: Client<typeof Leases>;
  readonly content: Client<typeof Content>;
  readonly snapshots: Client<typeof Snapshots>;

  constructor(channel: Channel, name: string) {
    this.name = name;
    this.images = clientOf(Images, channel);
    this.containers = clientOf(Containers, channel);
    this.leases = clientOf(Leases, channel);
    this.content = clientOf(Content, channel);
    this.snapshots = clientOf(Snapshots, channel);
  }

  /** Gives the digest; one that is there only joins the lease. */
  async upload(text: string, labels: Labels = {}, lease?: string): Promise<string> {
    const data = Buffer.from(text);
    const digest = digestOf(data);
    try {
      await exchange(this.content, uploadOf(`upload ${digest}`, data, { ...labels }), this.#options(lease));
    } catch (error) {
      if (!isHostError(error, "already-exists")) throw error;
    }
    if (!this.model.blobs.has(digest)) this.model.blobs.set(digest, labels);
    this.#list(lease, `blob ${digest}`);
    return digest;
  }

  /** An upload that nobody commits. */
  async begin(ref: string, lease?: string): Promise<void> {
    await exchange(
      this.content,
      [{ ref }, { action: WriteAction.WRITE, data: Buffer.from(ref) }],
      this.#options(lease),
    );
    this.model.ingests.set(ref, lease === undefined);
    this.#list(lease, `ingest ${ref}`);
  }

  /** One that was collected meanwhile is gone. */
  async label(digest: string, labels: Labels): Promise<void> {
    const request = { info: { digest, labels: { ...labels } } };
    if (await found(this.content.update(request, this.#options()))) this.model.blobs.set(digest, labels);
    else this.model.blobs.delete(digest);
  }

  async image(name: string, digest: string, labels: Labels = {}): Promise<void> {
    const image = { name, labels: { ...labels }, target: { mediaType: "m", digest, size: 1n } };
    await this.images.create({ image }, this.#options());
    this.model.images.set(name, { digest, labels });
  }

  async removeImage(name: string): Promise<void> {
    await found(this.images.delete({ name }, this.#options()));
    this.model.images.delete(name);
  }

  async container(id: string, snapshot: string, labels: Labels = {}): Promise<void> {
    const place = snapshot === "" ? {} : { snapshotter, snapshotKey: snapshot };
    const container = { id, labels: { ...labels }, runtime: { name: "r" }, spec: { typeUrl: "s" }, ...place };
    await this.containers.create({ container }, this.#options());
    this.model.containers.set(id, { snapshot, labels });
  }

  async removeContainer(id: string): Promise<void> {
    await this.containers.delete({ id }, this.#options());
    this.model.containers.delete(id);
  }

  async lease(id: string, labels: Labels = {}): Promise<void> {
    await this.leases.create({ id, labels: { ...labels } }, this.#options());
    this.model.leases.set(id, { labels, resources: new Set() });
  }

  async removeLease(id: string): Promise<void> {
    await found(this.leases.delete({ id }, this.#options()));
    this.model.leases.delete(id);
  }

  async addResource(lease: string, resource: string): Promise<void> {
    await this.leases.addResource({ id: lease, resource: resourceOf(resource) }, this.#options());
    this.#list(lease, resource);
  }

  async removeResource(lease: string, resource: string): Promise<void> {
    await found(this.leases.deleteResource({ id: lease, resource: resourceOf(resource) }, this.#options()));
    this.model.leases.get(lease)?.resources.delete(resource);
  }

  async view(key: string, parent: string, labels: Labels = {}, lease?: string): Promise<void> {
    await this.snapshots.view({ snapshotter, key, parent, labels: { ...labels } }, this.#options(lease));
    this.model.snapshots.set(key, { parent, labels });
    this.#list(lease, `snapshot ${key}`);
  }

  /** A committed snapshot; kept by a lease of its own while it is made. */
  async layer(name: string, parent: string, labels: Labels = {}, lease?: string): Promise<void> {
    const own = `making ${name}`;
    await this.lease(own);
    const making = this.#options(lease ?? own);
    await this.snapshots.prepare({ snapshotter, key: `active ${name}`, parent }, making);
    await this.snapshots.commit({ snapshotter, name, key: `active ${name}`, labels: { ...labels } }, making);
    this.model.snapshots.set(name, { parent, labels });
    this.#list(lease, `snapshot ${name}`);
    await this.removeLease(own);
  }

  async removeSnapshot(key: string): Promise<void> {
    await this.snapshots.remove({ snapshotter, key }, this.#options());
    this.model.snapshots.delete(key);
  }

  /** What the services show, as the model would. */
  async seen(): Promise<Seen> {
    const options = this.#options();
    const blobs = await Array.fromAsync(this.content.list({}, options));
    const snapshots = await Array.fromAsync(this.snapshots.list({ snapshotter }, options));
    const { statuses } = await this.content.listStatuses({}, options);
    return {
      images: (await this.images.list({}, options)).images.map(({ name }) => name).sort(),
      leases: (await this.leases.list({}, options)).leases.map(({ id }) => id).sort(),
      blobs: blobs.flatMap(({ info }) => info.map(({ digest }) => digest)).sort(),
      snapshots: snapshots.flatMap(({ info }) => info.map(({ name }) => name)).sort(),
      ingests: statuses.map(({ ref }) => ref).sort(),
    };
  }

  #options(lease?: string) {
    return inNamespace(this.name, lease);
  }

  #list(lease: string | undefined, resource: string): void {
    if (lease !== undefined) this.model.leases.get(lease)?.resources.add(resource);
  }
}

export interface Seen {
  readonly images: string[];
  readonly leases: string[];
  readonly blobs: string[];
  readonly snapshots: string[];
  readonly ingests: string[];
}

/** The same of the model. */
export function expected({ images, leases, blobs, snapshots, ingests }: ModelNamespace): Seen {
  const names = (map: ReadonlyMap<string, unknown>): string[] => [...map.keys()].sort();
  return {
    images: names(images),
    leases: names(leases),
    blobs: names(blobs),
    snapshots: names(snapshots),
    ingests: names(ingests),
  };
}

function resourceOf(resource: string): { type: string; id: string } {
  const [kind = "", ...rest] = resource.split(" ");
  const id = rest.join(" ");
  if (kind === "blob") return { type: "content", id };
  return kind === "ingest" ? { type: "ingests", id } : { type: `snapshots/${snapshotter}`, id };
}

/** Whether the object of a call was there. */
async function found(call: Promise<unknown>): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (error) {
    if (isHostError(error, "not-found")) return false;
    throw error;
  }
}
