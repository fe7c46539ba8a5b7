import { processesNaming } from "../harness/leftovers.ts";
import { Tasks } from "#proto/gen/containerd/services/tasks/v1/tasks_pb.ts";
import { compareCases } from "./compare.ts";
import { call, run, sortedLines, type Step } from "./steps.ts";
import { masked, runContainer, task, untilStatus, withRootfs } from "./task-steps.ts";

const prepare = withRootfs;
const sh = (script: string) => ["/bin/sh", "-c", script];
const shim = (id: string, ...words: readonly string[]) => masked(run(["shim", "--id", id, ...words]));
const fifos = ["stdin", "stdout", "stderr"].flatMap((name) => [`--${name}`, `{files}/${name}`]);
const create = (id: string, ...words: readonly string[]) =>
  run(["containers", "create", "--rootfs", "{files}/rootfs", id, ...words]);
const grouped = (id: string, group: string, runtime = "io.containerd.runc.v2") =>
  runContainer(["-d", "--null-io", "--runtime", runtime, "--annotation", `io.containerd.runc.v2.group=${group}`], id, [
    "/bin/sleep",
    "1000",
  ]);

/** How many shims a case has running. */
const shims: Step = {
  title: "how many shims there are",
  run: async ({ daemon, namespace }) => {
    const found = await processesNaming(daemon.folder.path);
    return found.filter((line) => line.includes(`shim-runc-v2 -namespace ${namespace} `)).length;
  },
};

/** Waits until there are so many: a shim ends a moment after it has said so. */
function untilShims(count: number): Step {
  return {
    title: `until there are ${count} shims`,
    run: async (target) => {
      const end = Date.now() + 20_000;
      for (;;) {
        const found = await shims.run(target);
        if (found === count || Date.now() > end) return found;
      }
    },
  };
}

compareCases(
  "shim",
  [
    {
      title: "ctr speaks with a task's shim itself",
      prepare,
      steps: [
        create("c", "/bin/sleep", "1000"),
        masked(call(Tasks, "create", { containerId: "c" })),
        shim("c", "state"),
        shim("c", "start"),
        task("ls"),
        shim("c", "start"),
        shim("c", "state"),
        shim("c", "delete"),
        shim("absent", "state"),
        run(["shim", "state"]),
        task("kill", "-s", "9", "c"),
        untilStatus("c", "STOPPED"),
        shim("c", "state"),
        shim("c", "delete"),
        shim("c", "state"),
        task("ls"),
        task("rm", "c"),
        task("ls"),
        run(["containers", "rm", "c"]),
        untilShims(0),
      ],
    },
    {
      title: "an exec that ctr cannot have a shim make itself leaves the task as it is",
      prepare,
      steps: [
        runContainer(["-d", "--null-io"], "c", ["/bin/sleep", "1000"]),
        shim("c", "exec", "--cwd", "/", "direct", ...sh("exit 3")),
        shim("c", "exec", ...fifos, "--cwd", "/", "direct", ...sh("exit 3")),
        task("ps", "c"),
        task("ls"),
        task("rm", "-f", "c"),
        run(["containers", "rm", "c"]),
        untilShims(0),
      ],
    },
    {
      title: "containers of one group have one shim, and end one by one",
      prepare,
      steps: [
        grouped("one", "g"),
        grouped("two", "g"),
        grouped("other", "h"),
        untilShims(2),
        sortedLines(task("ls")),
        task("exec", "--exec-id", "e", "two", ...sh("exit 3")),
        task("ps", "one"),
        task("rm", "-f", "one"),
        run(["containers", "rm", "one"]),
        untilShims(2),
        sortedLines(task("ls")),
        task("exec", "--exec-id", "e", "two", ...sh("exit 4")),
        grouped("three", "g"),
        untilShims(2),
        task("kill", "-s", "9", "two"),
        untilStatus("two", "STOPPED"),
        task("rm", "two"),
        task("exec", "--exec-id", "e", "three", ...sh("exit 5")),
        task("rm", "-f", "three"),
        untilShims(1),
        task("rm", "-f", "other"),
        untilShims(0),
        run(["containers", "rm", "two", "three", "other"]),
        task("ls"),
      ],
    },
    {
      title: "a container that cannot be made leaves the others of its group alone",
      prepare,
      steps: [
        grouped("one", "g"),
        runContainer(["-d", "--null-io", "--annotation", "io.containerd.runc.v2.group=g"], "broken", ["/bin/absent"]),
        runContainer(["-d", "--null-io", "--annotation", "io.containerd.runc.v2.group=g"], "one", ["/bin/true"]),
        task("ls"),
        task("exec", "--exec-id", "e", "one", ...sh("exit 3")),
        untilShims(1),
        task("rm", "-f", "one"),
        run(["containers", "rm", "one", "broken"]),
        untilShims(0),
      ],
    },
  ],
  { containers: true },
);
