/** A thread of the differ: takes one job at a time and may block for it; cancel is heard between chunks. */
import { parentPort } from "node:worker_threads";
import { HostError } from "#proto/wire/errors.ts";
import { toHostError } from "#proto/wire/status.ts";
import { applyLayer } from "./apply/apply-layer.ts";
import { compareTrees } from "./compare/compare-trees.ts";
import type { FromWorker, Job, LayerFacts, ToWorker } from "./threads/jobs.ts";

const port = parentPort;
if (port === null) throw new Error("this file is run as a thread of the differ");
let running: AbortController | undefined;

function answer(message: FromWorker): void {
  port?.postMessage(message);
}

function run(job: Job, signal: AbortSignal): Promise<LayerFacts> {
  if (job.kind === "compare") return compareTrees(job, signal);
  return applyLayer(job, (what) => answer({ kind: "ignored", what }), signal);
}

async function runAndAnswer(job: Job): Promise<void> {
  const controller = new AbortController();
  running = controller;
  try {
    const facts = await run(job, controller.signal);
    answer({ kind: "done", facts });
  } catch (error) {
    const { kind, message } = toHostError(error);
    answer({ kind: "failed", error: { kind, message } });
  } finally {
    running = undefined;
  }
}

port.on("message", (message: ToWorker) => {
  if (message.kind === "cancel") running?.abort(new HostError("canceled", "context canceled"));
  else void runAndAnswer(message.job); // never rejects
});
