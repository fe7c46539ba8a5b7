import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Tasks } from "#proto/gen/containerd/services/tasks/v1/tasks_pb.ts";
import { Child } from "../harness/child.ts";
import { containerdProgram } from "../harness/peers.ts";
import { compareCases } from "./compare.ts";
import { withLogger } from "./logger.ts";
import { keysOfJson, shapeOf } from "./metric-steps.ts";
import { onResizedPty, untilResized } from "./resized-pty.ts";
import { call, run, view, type Step } from "./steps.ts";
import { execShowing, heard, masked, runContainer, talking, task, untilStatus, withRootfs } from "./task-steps.ts";

const prepare = withRootfs;
const sh = (script: string) => ["/bin/sh", "-c", script];
const sleeping = (id: string, flags: readonly string[] = []) =>
  runContainer(["-d", "--null-io", ...flags], id, ["/bin/sleep", "1000"]);
const create = (id: string, ...words: readonly string[]) =>
  run(["containers", "create", "--rootfs", "{files}/rootfs", id, ...words]);
const gone = (id: string): readonly Step[] => [task("rm", "-f", id), run(["containers", "rm", id])];

/** How much of its output a client that detaches shows is chance. */
const silent = (step: Step): Step => view(step, (outcome) => (outcome as { readonly code: number }).code);

/** `ctr task attach`; the container ends once something of its output was seen. */
function attachUntil(id: string, shown: string): Step {
  return {
    title: `ctr task attach ${id} until it shows ${shown}`,
    run: async ({ daemon, namespace, files }) => {
      const words = ["--address", daemon.address, "--namespace", namespace, "task", "attach", id];
      await using child = new Child(containerdProgram("ctr"), words);
      await child.output.waitFor(new RegExp(shown));
      await writeFile(join(files, "rootfs/tmp/seen"), "");
      return { code: (await child.waitForExit()).code };
    },
  };
}

/** The lines of a file, sorted: two outputs of a process meet in no order; asked for until there are `count`. */
function fileLines(name: string, count: number): Step {
  return {
    title: `the lines of ${name}`,
    run: async ({ files }) => {
      const end = Date.now() + 20_000;
      for (;;) {
        const text = await readFile(join(files, name), "utf8").catch(() => "");
        const lines = text.split("\n").filter((line) => line !== "");
        if (lines.length >= count || Date.now() > end) return lines.toSorted();
      }
    },
  };
}

compareCases(
  "task-rows",
  [
    {
      title: "metrics have their values in every format, while there is a process",
      prepare,
      steps: [
        sleeping("c", ["--memory-limit", "33554432"]),
        shapeOf(task("metrics", "c")),
        shapeOf(task("metrics", "--format", "table", "c")),
        keysOfJson(task("metrics", "--format", "json", "c")),
        task("metrics", "--format", "nonsense", "c"),
        task("metrics", "absent"),
        task("metrics"),
        task("pause", "c"),
        shapeOf(task("metrics", "c")),
        task("resume", "c"),
        create("idle", "/bin/true"),
        task("metrics", "idle"),
        task("kill", "-s", "9", "c"),
        untilStatus("c", "STOPPED"),
        shapeOf(task("metrics", "c")),
        ...gone("c"),
      ],
    },
    {
      title: "processes of a container are listed with what they are",
      prepare,
      steps: [
        sleeping("c"),
        task("exec", "-d", "--exec-id", "stays", "c", "/bin/sleep", "1000"),
        task("ps", "c"),
        task("ps", "absent"),
        task("ps"),
        task("exec", "--exec-id", "stays", "c", "/bin/true"),
        task("exec", "c", "/bin/true"),
        task("exec", "--exec-id", "e"),
        task("exec", "--exec-id", "e", "absent", "/bin/true"),
        task("kill", "-s", "NONSENSE", "c"),
        task("kill", "-s", "9", "--exec-id", "stays", "c"),
        call(Tasks, "wait", { containerId: "c", execId: "stays" }),
        task("ps", "c"),
        task("kill", "-s", "9", "--exec-id", "stays", "c"),
        task("rm", "--exec-id", "stays", "c"),
        task("rm", "--exec-id", "stays", "c"),
        task("exec", "-d", "--exec-id", "stays", "c", "/bin/sleep", "1000"),
        task("rm", "--exec-id", "stays", "c"),
        task("kill", "-a", "-s", "9", "c"),
        untilStatus("c", "STOPPED"),
        task("ps", "c"),
        task("exec", "--exec-id", "late", "c", "/bin/true"),
        task("ls"),
        ...gone("c"),
      ],
    },
    {
      title: "a task that is made and not started takes what containerd's takes",
      prepare,
      steps: [
        create("c", "/bin/sleep", "1000"),
        masked(call(Tasks, "create", { containerId: "c" })),
        task("ls"),
        task("start", "c"),
        task("exec", "--exec-id", "early", "c", "/bin/true"),
        task("rm", "c"),
        task("ls"),
        masked(call(Tasks, "create", { containerId: "c" })),
        task("pause", "c"),
        task("kill", "-s", "9", "c"),
        untilStatus("c", "STOPPED"),
        run(["containers", "rm", "c"]),
        create("d", "/bin/sleep", "1000"),
        masked(call(Tasks, "create", { containerId: "d" })),
        run(["containers", "rm", "d"]),
        ...gone("d"),
        task("ls"),
        run(["containers", "ls"]),
      ],
    },
    {
      title: "tasks are removed one after the other, paused ones by force",
      prepare,
      steps: [
        sleeping("one"),
        sleeping("two"),
        task("pause", "two"),
        task("rm", "two"),
        task("kill", "-s", "9", "two"),
        call(Tasks, "wait", { containerId: "two" }),
        task("resume", "two"),
        task("rm", "one", "absent", "two"),
        task("rm", "-f", "one", "absent"),
        task("rm", "-f", "absent", "two"),
        task("rm", "-f", "two"),
        task("rm"),
        run(["containers", "rm", "one", "two"]),
        task("ls"),
      ],
    },
    {
      title: "a task is started with its output where it was sent",
      prepare: async (files) => {
        await withRootfs(files);
        await writeFile(join(files, "rootfs/bin/talk"), `#!/bin/sh\n${talking("echo out; echo err >&2; (exit 4)")}\n`, {
          mode: 0o755,
        });
      },
      steps: [
        create("c", "/bin/talk"),
        heard(["task", "start", "c"]),
        task("start", "--null-io", "c"),
        // Errors may be lost when output and they go to one file: a shim closes it when the first of both has ended.
        create("d", "/bin/busybox", "hostname"),
        task("start", "-d", "--log-uri", "file://{files}/log", "d"),
        untilStatus("d", "STOPPED"),
        fileLines("log", 1),
        task("start", "d"),
        task("rm", "d"),
        run(["containers", "rm", "d"]),
        task("start", "--log-uri", "nonsense://x", "c"),
        heard(["task", "start", "--pid-file", "{files}/pid", "c"]),
        task("start", "absent"),
        task("start"),
        run(["containers", "rm", "c"]),
        sleeping("host"),
        task("exec", "--exec-id", "log", "--log-uri", "file://{files}/exec", "host", ...sh("echo one; exit 3")),
        fileLines("exec", 1),
        execShowing(["--exec-id", "fifos", "--fifo-dir", "{files}/fifos"], "host", "echo through", ["through"]),
        ...gone("host"),
        task("ls"),
      ],
    },
    {
      title: "output goes to a program that was named",
      prepare: withLogger,
      steps: [
        runContainer(
          ["-d", "--log-uri", "binary://{files}/logger?file={files}/logged&more=a%20b"],
          "c",
          sh("echo out; echo err >&2; exit 3"),
        ),
        untilStatus("c", "STOPPED"),
        fileLines("logged", 3),
        task("rm", "c"),
        run(["containers", "rm", "c"]),
        runContainer(["-d", "--log-uri", "binary:///bin/false"], "broken", ["/bin/true"]),
        runContainer(["-d", "--log-uri", "binary://{files}/absent"], "absent", ["/bin/true"]),
        run(["containers", "rm", "broken", "absent"]),
        task("ls"),
      ],
    },
    {
      title: "a terminal has the size of its client's, also when that changes",
      prepare,
      steps: [
        onResizedPty(["run", "--rm", "-t", "--rootfs", "{files}/rootfs", "tty", ...sh(untilResized(6))]),
        sleeping("host"),
        call(Tasks, "resizePty", { containerId: "host", width: 1, height: 1 }),
        run(["task", "ls", "-q"]),
        ...gone("host"),
      ],
    },
    {
      title: "a terminal of an exec has the size of its client's, too",
      prepare,
      steps: [
        sleeping("host"),
        onResizedPty(["task", "exec", "-t", "--exec-id", "e", "host", ...sh(untilResized(7))]),
        ...gone("host"),
      ],
    },
    {
      title: "who attaches is given the output, and ends as the container does",
      prepare,
      steps: [
        silent(runContainer(["-d"], "a", sh("until [ -e /tmp/seen ]; do echo tick; sleep 0.1; done; exit 5"))),
        attachUntil("a", "tick"),
        task("ls"),
        run(["containers", "rm", "a"]),
        runContainer(["-d", "--null-io"], "b", sh("exit 6")),
        untilStatus("b", "STOPPED"),
        task("attach", "b"),
        run(["containers", "rm", "b"]),
        task("attach"),
      ],
    },
  ],
  { containers: true },
);
