/** A package in a process of its own: it answers each whole request, or pours DATA for as long as it may. `SOCKET`. */
import { createServer } from "node:net";
import { clientPreface, flags, frameTypes } from "#proto/http2/constants.ts";
import { encodeHeaders } from "#proto/http2/hpack-encoder.ts";
import { growWindow } from "#proto/http2/windows.ts";
import { pouredPath } from "./attacks.ts";
import { answer, ok, RawPeer } from "./raw-peer.ts";

const frameBytes = 16_384;
const chunk = Buffer.alloc(frameBytes);
const answerBlock = encodeHeaders(answer);
const okBlock = encodeHeaders(ok);

const server = createServer((socket) => {
  const peer = new RawPeer(socket, clientPreface.length);
  const poured = new Map<number, number>();
  let window = 65_535;
  let streamWindow = 65_535;
  const pour = (): void => {
    for (const [id, left] of poured) {
      let mine = left;
      while (mine >= frameBytes && window >= frameBytes && peer.writer.length < 2 ** 20) {
        peer.writer.data(id, chunk, 0, frameBytes, false);
        mine -= frameBytes;
        window -= frameBytes;
      }
      poured.set(id, mine);
    }
  };
  peer.onFrame = (frame) => {
    const { streamId } = frame;
    switch (frame.type) {
      case frameTypes.settings:
        if ((frame.flags & flags.ack) === 0) streamWindow = initialWindowOf(frame.payload) ?? streamWindow;
        break;
      case frameTypes.windowUpdate:
        if (streamId === 0) window = growWindow(window, frame.payload.readUInt32BE(0)) ?? window;
        else poured.set(streamId, (poured.get(streamId) ?? 0) + frame.payload.readUInt32BE(0));
        break;
      case frameTypes.rstStream:
        poured.delete(streamId);
        break;
      case frameTypes.headers:
        if ((frame.flags & flags.endStream) === 0) break;
        peer.writer.headers(streamId, answerBlock, false, frameBytes);
        if (frame.headers[":path"] === pouredPath) poured.set(streamId, streamWindow);
        else peer.writer.headers(streamId, okBlock, true, frameBytes);
        break;
    }
    // The windows bound it.
    for (pour(); peer.writer.length > 0; pour()) peer.flush();
  };
  peer.writer.settings({});
  peer.flush();
});
server.listen(process.argv[2], () => process.stdout.write("serving\n"));

/** SETTINGS_INITIAL_WINDOW_SIZE in a payload. */
function initialWindowOf(payload: Buffer): number | undefined {
  for (let at = 0; at < payload.length; at += 6) {
    if (payload.readUInt16BE(at) === 4) return payload.readUInt32BE(at + 2);
  }
  return undefined;
}
