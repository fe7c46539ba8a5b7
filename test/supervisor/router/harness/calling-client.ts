/** A client in a process of its own: `calling-client.ts SOCKET PATH CALLS` makes the calls and reads their answers. */
import { flags, frameTypes } from "#proto/http2/constants.ts";
import { RawPeer, request } from "./raw-peer.ts";

const [socket = "", path = "", calls = ""] = process.argv.slice(2);
const peer = await RawPeer.client(socket);
for (let call = 0; call < Number(calls); call++) peer.headers(1 + call * 2, request(path), true);
let bytes = 0;
const nobodyWaitsMs = 2 ** 31 - 1;
const alive = setTimeout(() => {}, nobodyWaitsMs);
peer.onFrame = (frame) => {
  if (frame.type !== frameTypes.data) return;
  bytes += frame.payload.length;
  peer.writer.windowUpdate(0, frame.payload.length);
  peer.writer.windowUpdate(frame.streamId, frame.payload.length);
  peer.flush();
  if ((frame.flags & flags.endStream) === 0) return;
  process.stdout.write(`ended after ${bytes} bytes\n`);
  clearTimeout(alive);
};
