import { connect, serve, type Channel, type Service } from "#rpc";
import { makeTempFolder } from "../harness/temp-folder.ts";

/** A service on a real socket and a connection to it. Owns: both, and the socket's folder. */
export interface ServedService extends AsyncDisposable {
  readonly socket: string;
  readonly channel: Channel;
}

/** Serves one service as the package's runtime does. */
export async function serveService(service: Service): Promise<ServedService> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await makeTempFolder("svc"));
  const socket = folder.join("s");
  const server = stack.use(serve({ services: [service] }));
  await server.listen(socket);
  const channel = stack.use(connect(socket));
  const owned = stack.move();
  return { socket, channel, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** All of a stream. */
export function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  return Array.fromAsync(stream);
}
