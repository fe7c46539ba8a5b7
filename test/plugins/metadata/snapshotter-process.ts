/** Run by the kill tests: a snapshotter below a folder, which its faults may end. */
import { startSnapshotter } from "./snapshotter-server.ts";

const [, , folder = "", name = ""] = process.argv;

await startSnapshotter(folder, name);
console.log("ready");
