import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { fixturesCache } from "../../scripts/peers/folders.ts";
import { Child } from "../harness/child.ts";
import { skipWithout } from "../harness/peers.ts";
import { row, RouterProcess } from "../supervisor/router/harness/router-process.ts";

interface Program {
  /** Folder of the fixture; undefined: it runs from the sources. */
  readonly fixture: string | undefined;
  readonly command: readonly string[];
}

/** Both sides of the cases by each library. */
const programs: Readonly<Record<string, Program>> = {
  "grpc-go": { fixture: "go-interop", command: ["bin/interop"] },
  grpcio: { fixture: "python-interop", command: ["bin/run"] },
  tonic: { fixture: "rust-interop", command: ["bin/interop"] },
  "grpc-js": {
    fixture: undefined,
    command: [process.execPath, resolve(import.meta.dirname, "../fixtures/node/interop.ts")],
  },
};
const service = "grpc.testing.TestService";
const caseMs = 30_000;
const skip = skipWithout({ peers: Object.values(programs).flatMap(({ fixture }) => fixture ?? []) });

const cases = [
  "empty_unary",
  "large_unary",
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
  "unimplemented_service",
];

/** One side of the cases. Owns: the process. */
function start({ fixture = "", command }: Program, args: readonly string[]): Child {
  const folder = join(fixturesCache, fixture);
  const [file = "", ...words] = command;
  return new Child(resolve(folder, file), [...words, ...args], {
    env: { ...process.env, BULKHEAD_PACKAGE_DIR: folder },
  });
}

let stack: AsyncDisposableStack;
const routers = new Map<string, RouterProcess>();

before(async () => {
  if (skip !== false) return;
  stack = new AsyncDisposableStack();
  for (const [name, program] of Object.entries(programs)) {
    const router = stack.use(await RouterProcess.start());
    const socket = router.socketPath("interop");
    const server = stack.use(start(program, ["-listen", socket]));
    await server.output.waitFor(/serving/);
    await router.apply({ packages: { interop: row(socket) }, routes: { [service]: "interop" } });
    routers.set(name, router);
  }
});

after(async () => stack?.disposeAsync());

for (const [clientName, program] of Object.entries(programs)) {
  for (const serverName of Object.keys(programs)) {
    for (const name of cases) {
      test(`${clientName} calls ${serverName} through the router: ${name}`, { skip }, async () => {
        const socket = routers.get(serverName)?.mainSocket ?? "";
        await using client = start(program, ["-socket", socket, name]);
        const { code } = await client.waitForExit(caseMs);
        assert.equal(code, 0, client.output.text);
      });
    }
  }
}
