import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** A relay that keeps what passes, by connection. Owns: its listener and connections. */
export interface Tap extends AsyncDisposable {
  /** Bytes toward the target so far, a connection each. */
  toTarget(): readonly Buffer[];
  /** Bytes from the target so far, a connection each. */
  fromTarget(): readonly Buffer[];
}

/** Listens on `path` and passes everything on to `target`. */
export async function tapTo(path: string, target: string): Promise<Tap> {
  const sockets = new Set<Socket>();
  const kept: { to: Buffer[]; from: Buffer[] }[] = [];
  const server = createServer((client) => {
    const upstream = connect(target);
    const record: { to: Buffer[]; from: Buffer[] } = { to: [], from: [] };
    kept.push(record);
    join(client, upstream, record.to);
    join(upstream, client, record.from);
  });
  function join(from: Socket, to: Socket, record: Buffer[]): void {
    sockets.add(from);
    from.on("error", () => {});
    from.on("close", () => to.destroy());
    from.on("data", (bytes: Buffer) => record.push(bytes));
    from.pipe(to);
  }
  server.listen(path);
  await once(server, "listening");
  return {
    toTarget: () => kept.map(({ to }) => Buffer.concat(to)),
    fromTarget: () => kept.map(({ from }) => Buffer.concat(from)),
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
