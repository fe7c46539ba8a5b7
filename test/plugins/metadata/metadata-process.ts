/** Run by the kill tests: metadata below a folder, its store in another process, ended by SIGKILL at one step. */
import { startMetadata } from "./metadata-server.ts";

const [, , folder = "", fatalStep = "", storePackage = "acme-store"] = process.argv;

await startMetadata(folder, {
  storePackage,
  storeElsewhere: true,
  onStep: (step) => {
    if (step === fatalStep) process.kill(process.pid, "SIGKILL");
  },
});
console.log("ready");
