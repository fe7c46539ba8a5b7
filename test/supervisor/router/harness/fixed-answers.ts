import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { clientPreface, defaultFrameBytes } from "#proto/http2/constants.ts";
import { FrameWriter } from "#proto/http2/frame-writer.ts";
import { encodeHeaders } from "#proto/http2/hpack-encoder.ts";
import { StrictReader } from "./fuzz/strict-reader.ts";

type Headers = readonly (readonly [string, string])[];

/** A package that gives every call the same blocks, the last one with its end, on whatever connection it comes. */
export async function fixedAnswers(path: string, blocks: readonly Headers[]): Promise<AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    const writer = new FrameWriter();
    writer.settings({});
    const flush = (): void => {
      socket.write(Buffer.from(writer.bytes.subarray(0, writer.length)));
      writer.length = 0;
    };
    const onHeaders = (streamId: number): void => {
      for (const [at, headers] of blocks.entries()) {
        writer.headers(streamId, encodeHeaders(headers), at === blocks.length - 1, defaultFrameBytes);
      }
    };
    const anything = (): boolean => true;
    const reader = new StrictReader({ onHeaders }, anything, () => {}, clientPreface.length);
    socket.on("data", (bytes: Buffer) => {
      reader.read(bytes);
      flush();
    });
    flush();
  });
  server.listen(path);
  await once(server, "listening");
  return {
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
