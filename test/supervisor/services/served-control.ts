import { join } from "node:path";
import { clientOf, connect, serve, type Channel, type Client, type Server } from "#rpc";
import type { DescService } from "@bufbuild/protobuf";
import { controlServices, PackageChannels, type HostDirectory } from "../../../supervisor/services/index.ts";
import { makeTempFolder, type TempFolder } from "../../harness/temp-folder.ts";
import type { SampleSupervision } from "./sample-supervision.ts";

/** Control's services on two real unix sockets. Owns: servers, channels and a temp folder. */
export class ServedControl implements AsyncDisposable {
  readonly folder: TempFolder;
  readonly mainSocket: string;
  readonly adminSocket: string;
  readonly channels: PackageChannels;
  readonly #servers: readonly Server[];
  readonly #clients: Channel[] = [];

  private constructor(folder: TempFolder, channels: PackageChannels, main: Server, admin: Server) {
    this.folder = folder;
    this.mainSocket = join(folder.path, "bulkhead.sock");
    this.adminSocket = join(folder.path, "admin.sock");
    this.channels = channels;
    this.#servers = [main, admin];
  }

  static async start(supervision: SampleSupervision, directory?: HostDirectory): Promise<ServedControl> {
    const folder = await makeTempFolder();
    const channels = new PackageChannels();
    const facts = { version: "1.2.3", revision: "abc", root: folder.path, state: folder.path, pid: process.pid };
    const services = controlServices(supervision, facts, directory ?? emptyDirectory, channels);
    const main = serve({ services: services.main });
    const admin = serve({ services: services.admin });
    const served = new ServedControl(folder, channels, main, admin);
    await main.listen(served.mainSocket);
    await admin.listen(served.adminSocket);
    return served;
  }

  channel(socket: "main" | "admin" = "main"): Channel {
    const channel = connect(socket === "main" ? this.mainSocket : this.adminSocket);
    this.#clients.push(channel);
    return channel;
  }

  client<S extends DescService>(service: S, socket: "main" | "admin" = "main"): Client<S> {
    return clientOf(service, this.channel(socket));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client[Symbol.dispose]();
    this.channels[Symbol.dispose]();
    for (const server of this.#servers) await server[Symbol.asyncDispose]();
    await this.folder[Symbol.asyncDispose]();
  }
}

const emptyDirectory: HostDirectory = {
  hello: async () => ({}),
  async *watchPeers() {},
  report: () => {},
};
