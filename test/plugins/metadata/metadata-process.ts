/**
 * Run by the kill tests: metadata below a folder, its store and snapshotters in other processes, ended by SIGKILL at
 * one step, the nth time. Collects as the scheduler says.
 */
import { readSchedule } from "../../../plugins/metadata/gc/config.ts";
import { startMetadata } from "./metadata-server.ts";

const [, , folder = "", fatalStep = "", storePackage = "acme-store", nth = "1", ...snapshotters] = process.argv;

let left = Number(nth);
await startMetadata(folder, {
  storePackage,
  storeElsewhere: true,
  snapshotters,
  schedule: readSchedule({}),
  onStep: (step) => {
    if (step === fatalStep && --left === 0) process.kill(process.pid, "SIGKILL");
  },
});
console.log("ready");
