import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { containerdProgram } from "../harness/peers.ts";
import { fill, type Step } from "./steps.ts";

const ptyMs = 30_000;

/** Ends with `code` once its terminal had both sizes of `onResizedPty`, and it was answered there. */
export const untilResized = (code: number): string =>
  [
    'until [ "$(stty size)" = "20 60" ]; do sleep 0.05; done; echo ready',
    'until [ "$(stty size)" = "33 77" ]; do sleep 0.05; done; echo resized',
    `read -r x && exit ${code}`,
  ].join("; ");

/** Runs `ctr` on a pty of its own, whose size changes once the container says that it has the first. Gives how it ended. */
export function onResizedPty(words: readonly string[]): Step {
  return {
    title: `on a resized pty: ctr ${words.join(" ")}`,
    run: async (target) => {
      const { daemon, namespace, files } = target;
      const go = join(files, "resize");
      const args = ["--address", daemon.address, "--namespace", namespace, ...words.map((word) => fill(word, target))];
      const command = [containerdProgram("ctr"), ...args].map((word) => `'${word}'`).join(" ");
      const resize = `(until [ -e '${go}' ]; do sleep 0.05; done; stty rows 33 cols 77) < /dev/tty`;
      // Both are of the terminal's foreground group, which is told of the new size.
      const script = execa("script", ["-qec", `stty rows 20 cols 60; ${resize} & exec ${command}`, "/dev/null"], {
        reject: false,
        timeout: ptyMs,
      });
      let shown = "";
      script.stdout.on("data", (chunk: Buffer) => {
        const before = shown;
        shown += String(chunk);
        if (!before.includes("ready") && shown.includes("ready")) void writeFile(go, ""); // a failure is a timeout
        if (!before.includes("resized") && shown.includes("resized")) script.stdin.end("go on\n");
      });
      const { exitCode } = await script;
      return { code: exitCode ?? null, resized: shown.includes("resized") };
    },
  };
}
