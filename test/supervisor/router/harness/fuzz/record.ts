/**
 * `node test/supervisor/router/harness/fuzz/record.ts`: runs real clients against real servers through a router and
 * writes what passed on both its sides as fixtures of the fuzzer. Needs the peers of `scripts/peers.ts`.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { clientPreface, frameTypes } from "#proto/http2/constants.ts";
import { fixturesCache } from "../../../../../scripts/peers/folders.ts";
import { Child } from "../../../../harness/child.ts";
import { ctr } from "../../../../harness/ctr.ts";
import { startStock } from "../../../../harness/stock-daemon.ts";
import { echoClient, EchoServer, unary } from "../echo-service.ts";
import { row, RouterProcess } from "../router-process.ts";
import { cutFrames, encodeFrame } from "./frames.ts";
import { recordingsFolder, type RecordingFile } from "./recordings.ts";
import { tapTo } from "./tap.ts";

/** The router reads no messages: longer DATA would only make the fixtures large. */
const keptDataBytes = 48;
const keptFrames = 40;

const interopCases = [
  "empty_unary",
  "client_streaming",
  "server_streaming",
  "ping_pong",
  "empty_stream",
  "cancel_after_begin",
  "cancel_after_first_response",
  "timeout_on_sleeping_server",
  "status_code_and_message",
  "special_status_message",
  "custom_metadata",
  "unimplemented_method",
];
const ctrCommands = [
  ["version"],
  ["namespaces", "list"],
  ["images", "list"],
  ["content", "list"],
  ["content", "ingest", "greeting"],
  ["plugins", "list"],
  ["snapshots", "list"],
];
const ctrServices = [
  "version.v1.Version",
  "namespaces.v1.Namespaces",
  "images.v1.Images",
  "content.v1.Content",
  "introspection.v1.Introspection",
  "snapshots.v1.Snapshots",
  "leases.v1.Leases",
].map((name) => `containerd.services.${name}`);

/** Records what `use` does with the socket it is given while `server` answers at its own. */
async function record(
  name: string,
  services: readonly string[],
  server: string,
  use: (socket: string) => Promise<unknown>,
): Promise<void> {
  await using router = await RouterProcess.start();
  const upstream = router.socketPath("upstream");
  const front = router.socketPath("front");
  await using behind = await tapTo(upstream, server);
  await using before = await tapTo(front, router.mainSocket);
  const routes = Object.fromEntries(services.map((service) => [service, name]));
  await router.apply({ packages: { [name]: row(upstream) }, routes });
  await use(front);
  const clients = before.toTarget().map((bytes) => shorten(bytes.subarray(clientPreface.length)));
  const servers = behind.fromTarget().map(shorten);
  const file: RecordingFile = { clients, servers };
  await mkdir(recordingsFolder, { recursive: true });
  await writeFile(join(recordingsFolder, `${name}.json`), `${JSON.stringify(file, null, 2)}\n`);
  console.log(`${name}: ${clients.length} connections`);
}

function shorten(bytes: Buffer): string {
  const frames = cutFrames(bytes).slice(0, keptFrames);
  return Buffer.concat(
    frames.map((frame) =>
      encodeFrame(
        frame.type === frameTypes.data ? { ...frame, payload: frame.payload.subarray(0, keptDataBytes) } : frame,
      ),
    ),
  ).toString("hex");
}

async function recordInterop(name: string, fixture: string, program: string): Promise<void> {
  const folder = join(fixturesCache, fixture);
  const start = (args: readonly string[]) =>
    new Child(join(folder, program), args, { env: { ...process.env, BULKHEAD_PACKAGE_DIR: folder } });
  await using scratch = await RouterProcess.start();
  const socket = scratch.socketPath("interop");
  await using server = start(["-listen", socket]);
  await server.output.waitFor(/serving/);
  await record(name, ["grpc.testing.TestService"], socket, async (front) => {
    for (const each of interopCases) {
      await using client = start(["-socket", front, each]);
      const { code } = await client.waitForExit();
      if (code !== 0) throw new Error(`${name} ${each}: ${client.output.text}`);
    }
  });
}

async function recordGrpcJs(): Promise<void> {
  const service = "test.v1.Echo";
  await using scratch = await RouterProcess.start();
  const socket = scratch.socketPath("echo");
  await using _server = await EchoServer.listen(socket, service);
  await record("grpc-js", [service], socket, async (front) => {
    const client = echoClient(front, service);
    await unary(client, Buffer.from("hello"), { "x-asked": "yes" }, { deadline: Date.now() + 10_000 });
    const chat = client.Bidi();
    for (const word of ["one", "two", "three"]) chat.write(Buffer.from(word));
    chat.end();
    for await (const _ of chat) continue;
    for await (const _ of client.ServerStream(Buffer.from("3x20"))) continue;
    client.close();
  });
}

await recordInterop("grpc-go", "go-interop", "bin/interop");
await recordInterop("grpcio", "python-interop", "bin/run");
await recordGrpcJs();
await using stock = await startStock();
await record("ctr", ctrServices, stock.address, async (front) => {
  for (const command of ctrCommands) await ctr(front, command, { stdin: "hello" });
});
