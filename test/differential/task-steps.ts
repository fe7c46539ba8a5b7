import { execa } from "execa";
import { join } from "node:path";
import { containerdProgram } from "../harness/peers.ts";
import { makeRootfs } from "../harness/runtime.ts";
import type { Outcome } from "./outcome.ts";
import { fill, run, view, type Step } from "./steps.ts";

const ptyMs = 30_000;
const statusMs = 20_000;

/** Makes `rootfs` in the case's folder: busybox. */
export async function withRootfs(files: string): Promise<void> {
  await makeRootfs(join(files, "rootfs"));
}

/** `ctr run` of a container on the case's rootfs. */
export function runContainer(flags: readonly string[], id: string, command: readonly string[], stdin?: string): Step {
  const words = ["run", ...flags, "--rootfs", "{files}/rootfs", id, ...command];
  return masked(run(words, stdin === undefined ? {} : { stdin }));
}

/** What a script says at last when it is `talking`. */
const lastWords = ["(end of output)", "(end of errors)"] as const;

/**
 * A script that goes on until its input ends, once all that it says was said. What a process says last may be lost: ctr
 * stops copying when it ends, whichever daemon it talks to.
 */
export function talking(script: string): string {
  return `${script}; code=$?; echo '${lastWords[0]}'; echo '${lastWords[1]}' >&2; cat > /dev/null; exit $code`;
}

/** A command of `ctr` that runs something `talking`; its input ends when all was heard. */
export function heard(words: readonly string[]): Step {
  return masked(run(words, { until: lastWords }));
}

/** `ctr run` of a script on the case's rootfs, all of whose output is heard. */
export function runTalking(flags: readonly string[], id: string, script: string): Step {
  return heard(["run", ...flags, "--rootfs", "{files}/rootfs", id, "/bin/sh", "-c", talking(script)]);
}

/** `ctr task …`, process ids masked. */
export function task(...words: readonly string[]): Step {
  return masked(run(["task", ...words]));
}

/**
 * `ctr task exec` of a script that prints `shown` and ends once that was seen: what a process says last may be lost, since
 * ctr stops copying when it ends, whichever daemon it talks to.
 */
export function execShowing(flags: readonly string[], id: string, script: string, shown: readonly string[]): Step {
  const words = ["task", "exec", ...flags, id, "/bin/sh", "-c", `${script}; code=$?; cat > /dev/null; exit $code`];
  return masked(run(words, { until: shown }));
}

/** The same step without what differs from run to run: process ids, and clocks in log lines. */
export function masked(step: Step): Step {
  return view(step, maskAll);
}

function maskAll(outcome: Outcome): Outcome {
  if (typeof outcome === "string") return mask(outcome);
  if (outcome === null || typeof outcome !== "object") return outcome;
  if (Array.isArray(outcome)) return (outcome as readonly Outcome[]).map(maskAll);
  const entries = Object.entries(outcome as { readonly [key: string]: Outcome });
  return Object.fromEntries(
    entries.map(([key, value]) => [key, key === "pid" && value !== 0 ? "<pid>" : maskAll(value)]),
  );
}

function mask(text: string): string {
  return text
    .replaceAll(/^(\S+ +)\d+( +[A-Z]+ *)$/gm, "$1<pid>$2")
    .replaceAll(/^\d+( +)/gm, "<pid>$1")
    .replaceAll(/"pid":( ?)\d+/g, '"pid":$1<pid>')
    .replaceAll(/\/run\/containerd\/fifo\/\d+/g, "<fifos>")
    .replaceAll(/ pid=\d+/g, " pid=<pid>");
}

/** Waits until a task is in a state, by asking again and again: nothing tells of a process's start within it. */
export function untilStatus(id: string, status: string): Step {
  return {
    title: `until ${id} is ${status}`,
    run: async (target) => {
      const row = new RegExp(`^${id} +\\d+ +${status} *$`, "m");
      const deadline = Date.now() + statusMs;
      for (;;) {
        const { stdout } = (await run(["task", "ls"]).run(target)) as { stdout: string };
        if (row.test(stdout)) return null;
        if (Date.now() > deadline) throw new Error(`${target.daemon.name}: ${id} does not get ${status}:\n${stdout}`);
      }
    },
  };
}

/**
 * Runs `ctr` on a pty of its own, which is given what is `said` at once; the container says "ready" there and ends once it is answered: what it says last may
 * never be shown, since ctr stops copying when the container ends. Gives how ctr ended.
 */
export function onPty(words: readonly string[], said = ""): Step {
  return {
    title: `on a pty: ctr ${words.join(" ")}`,
    run: async (target) => {
      const { daemon, namespace } = target;
      const args = ["--address", daemon.address, "--namespace", namespace, ...words.map((word) => fill(word, target))];
      const command = [containerdProgram("ctr"), ...args].map((word) => `'${word}'`).join(" ");
      const script = execa("script", ["-qec", command, "/dev/null"], { reject: false, timeout: ptyMs });
      script.stdin.write(said);
      let shown = "";
      script.stdout.on("data", (chunk: Buffer) => {
        if (shown.includes("ready")) return;
        shown += String(chunk);
        if (shown.includes("ready")) script.stdin.end("go on\n");
      });
      const { exitCode } = await script;
      return { code: exitCode ?? null, ready: shown.includes("ready") };
    },
  };
}
