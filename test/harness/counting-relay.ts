import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** A socket that passes bytes on to another one and counts who connected. Owns: its connections. */
export interface CountingRelay extends AsyncDisposable {
  readonly path: string;
  readonly connections: number;
}

/** Listens on `path`; each connection gets one of its own to `target`, and ends with it. */
export async function countingRelay(path: string, target: string): Promise<CountingRelay> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((client) => {
    connections += 1;
    const upstream = connect(target);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on("error", () => {});
      from.on("close", () => to.destroy());
      from.pipe(to);
    }
  }).listen(path);
  await once(server, "listening");
  return {
    path,
    get connections() {
      return connections;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
