/**
 * Imported into a router's process (`--import`): whoever connects to the socket that BULKHEAD_TEST_PROBE names is told what
 * memory is in use after a collection, as JSON.
 */
import { createServer } from "node:net";

const path = process.env["BULKHEAD_TEST_PROBE"];
const server = createServer((socket) => {
  for (let pass = 0; pass < 2; pass++) globalThis.gc?.({ type: "major", execution: "sync", flavor: "last-resort" });
  const { heapUsed, external, rss } = process.memoryUsage();
  socket.end(JSON.stringify({ heapUsed, external, rss }));
});
if (path !== undefined) server.listen(path);
server.unref();
