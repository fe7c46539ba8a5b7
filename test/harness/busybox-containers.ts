import assert from "node:assert/strict";
import { Containers } from "#proto/gen/containerd/services/containers/v1/containers_pb.ts";
import { clientOf, type Channel } from "#rpc";
import { ctr } from "./ctr.ts";

/** The parts of an OCI spec that tests choose. */
interface Spec {
  readonly process: { args: readonly string[] };
  readonly linux: { cgroupsPath: string };
}

/** Makes containers over one folder of busybox, of a namespace that no other daemon of the machine has. */
export class BusyboxContainers {
  readonly #address: string;
  readonly #namespace: string;
  readonly #rootfs: string;
  #spec: string | undefined;

  constructor(address: string, namespace: string, rootfs: string) {
    this.#address = address;
    this.#namespace = namespace;
    this.#rootfs = rootfs;
  }

  /** Makes the record of a container that runs `command`, as the stock client would. */
  async create(channel: Channel, id: string, command: readonly string[], runtime = "io.containerd.runc.v2") {
    const spec = await this.#template(channel);
    spec.process.args = command;
    spec.linux.cgroupsPath = `/${this.#namespace}/${id}`;
    const typeUrl = "types.containerd.io/opencontainers/runtime-spec/1/Spec";
    const value = Buffer.from(JSON.stringify(spec));
    const container = { id, runtime: { name: runtime }, spec: { typeUrl, value } };
    await clientOf(Containers, channel).create({ container }, this.#scope);
  }

  get #scope() {
    return { metadata: { "containerd-namespace": this.#namespace } };
  }

  async #template(channel: Channel): Promise<Spec> {
    if (this.#spec === undefined) {
      const words = ["containers", "create", "--rootfs", this.#rootfs, "template", "/bin/true"];
      const { code, stderr } = await ctr(this.#address, words, { namespace: this.#namespace });
      assert.equal(code, 0, stderr);
      const containers = clientOf(Containers, channel);
      const { container } = await containers.get({ id: "template" }, this.#scope);
      await containers.delete({ id: "template" }, this.#scope);
      this.#spec = Buffer.from(container?.spec?.value ?? []).toString();
    }
    return JSON.parse(this.#spec) as Spec;
  }
}
