/** A worker thread of `TreeWorkers`: answers each message with what its job came to. */
import { parentPort } from "node:worker_threads";
import { runTreeJob, type TreeJob } from "./tree-job.ts";

parentPort?.on("message", (job: TreeJob) => parentPort?.postMessage(runTreeJob(job)));
