import { once } from "node:events";
import { createServer, type ServerHttp2Session } from "node:http2";

/** One case opens as many streams as are allowed; Node ends a session beyond its memory, 10 MB if not told. */
const sessionMegabytes = 1000;

/**
 * Answers each request, once it is whole, with `body` and the trailers of a call that went well.
 * Owns: the listener and its connections.
 */
export async function plainUpstream(socket: string, body: string): Promise<AsyncDisposable> {
  const server = createServer({ maxSessionMemory: sessionMegabytes });
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session) => sessions.add(session));
  server.on("sessionError", () => {});
  server.on("stream", (stream) => {
    stream.on("error", () => {});
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.resume();
    stream.on("end", () => {
      if (stream.destroyed) return;
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.end(body);
    });
  });
  server.listen(socket);
  await once(server, "listening");
  return {
    [Symbol.asyncDispose]: async () => {
      for (const session of sessions) session.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
