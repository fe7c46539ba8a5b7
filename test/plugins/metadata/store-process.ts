/** Run by the kill tests: a content store below a folder, ended by SIGKILL at one step of a commit. */
import { startStore } from "./store-server.ts";

const [, , folder = "", fatalStep = ""] = process.argv;

await startStore(folder, {
  onStep: (step) => {
    if (step === fatalStep) process.kill(process.pid, "SIGKILL");
  },
});
console.log("ready");
