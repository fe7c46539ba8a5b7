/** A package in a process of its own that takes every call, says how many it has, and answers none: `SOCKET`. */
import { createServer } from "node:net";
import { clientPreface, frameTypes } from "#proto/http2/constants.ts";
import { RawPeer } from "./raw-peer.ts";

let calls = 0;
const server = createServer((socket) => {
  const peer = new RawPeer(socket, clientPreface.length);
  peer.onFrame = ({ type }) => {
    if (type === frameTypes.headers) process.stdout.write(`has ${++calls} calls\n`);
  };
  peer.writer.settings({});
  peer.flush();
});
server.listen(process.argv[2], () => process.stdout.write("serving\n"));
