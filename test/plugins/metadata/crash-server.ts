/** Run by the crash tests: metadata and a store below a folder, ended by SIGKILL at one step of a commit. */
import { startMetadata } from "./metadata-server.ts";

const [, , folder = "", fatalStep = "", storePackage = "acme-store"] = process.argv;

await startMetadata(folder, {
  storePackage,
  onStep: (step) => {
    if (step === fatalStep) process.kill(process.pid, "SIGKILL");
  },
});
console.log("ready");
