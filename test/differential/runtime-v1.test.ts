import { Tasks } from "#proto/gen/containerd/services/tasks/v1/tasks_pb.ts";
import { compareCases } from "./compare.ts";
import { keysOfJson, shapeOf } from "./metric-steps.ts";
import { printed } from "./observe.ts";
import { call, run, sortedLines, view, type Step } from "./steps.ts";
import { masked, onPty, runContainer, runTalking, task, untilStatus, withRootfs } from "./task-steps.ts";

const prepare = withRootfs;
const sh = (script: string) => ["/bin/sh", "-c", script];
const legacy = ["--runtime", "io.containerd.runtime.v1.linux"];
const sleeping = (id: string) => runContainer(["-d", "--null-io", ...legacy], id, ["/bin/sleep", "1000"]);
const gone = (id: string): readonly Step[] => [task("rm", "-f", id), run(["containers", "rm", id])];
/**
 * Exits are told by a program that the shim runs, so when they come is chance, and of a task's own whether they do: a
 * shim is killed once its task is deleted. Each line begins with a time.
 */
const inNoOrder = (step: Step): Step =>
  view(step, (lines) =>
    (lines as readonly string[])
      .map((line) => line.replace(/^.* UTC /, ""))
      .filter((line) => !/"container_id":"(\w+)","id":"\1"/.test(line))
      .toSorted(),
  );
const wait = (containerId: string, execId = "") => call(Tasks, "wait", { containerId, execId });

compareCases(
  "runtime-v1",
  [
    {
      title: "a container of runtime v1 runs, and ctr ends as it does",
      prepare,
      steps: [
        runTalking(["--rm", ...legacy], "one", "echo out; echo err >&2; (exit 42)"),
        runContainer(["--rm", ...legacy], "two", sh("kill -9 $$")),
        runContainer(["--rm", "--null-io", ...legacy], "three", ["/bin/true"]),
        runContainer(["--rm", ...legacy], "four", ["/bin/absent"]),
        runContainer(["--rm", ...legacy], "bad id", ["/bin/true"]),
        runContainer(["--rm", "--log-uri", "nonsense://x", ...legacy], "five", ["/bin/true"]),
        onPty([
          "run",
          "--rm",
          "-t",
          ...legacy,
          "--rootfs",
          "{files}/rootfs",
          "tty",
          ...sh("echo ready; read -r x; exit 6"),
        ]),
        run(["containers", "ls"]),
        task("ls"),
      ],
    },
    {
      title: "a container of runtime v1 in the background is looked at, paused, joined and killed",
      prepare,
      steps: [
        sleeping("bg"),
        runContainer(["-d", "--null-io"], "newer", ["/bin/sleep", "1000"]),
        sortedLines(task("ls")),
        task("ps", "bg"),
        shapeOf(task("metrics", "bg")),
        keysOfJson(task("metrics", "--format", "json", "bg")),
        task("exec", "--exec-id", "e", "bg", ...sh("exit 9")),
        task("exec", "-d", "--exec-id", "stays", "bg", "/bin/sleep", "1000"),
        task("exec", "--exec-id", "none", "bg", "/bin/absent"),
        task("exec", "--exec-id", "bad id", "bg", "/bin/true"),
        task("ps", "bg"),
        masked(call(Tasks, "get", { containerId: "bg" })),
        masked(call(Tasks, "get", { containerId: "bg", execId: "stays" })),
        call(Tasks, "get", { containerId: "bg", execId: "absent" }),
        task("pause", "bg"),
        sortedLines(task("ls")),
        task("resume", "bg"),
        call(Tasks, "start", { containerId: "bg" }),
        call(Tasks, "create", { containerId: "bg" }),
        call(Tasks, "delete", { containerId: "bg" }),
        call(Tasks, "kill", { containerId: "bg", execId: "absent", signal: 9 }),
        call(Tasks, "resizePty", { containerId: "bg", width: 80, height: 24 }),
        call(Tasks, "closeIO", { containerId: "bg", stdin: true }),
        call(Tasks, "update", {
          containerId: "bg",
          resources: {
            typeUrl: "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources",
            value: Buffer.from('{"pids":{"limit":100}}'),
          },
        }),
        task("checkpoint", "--image-path", "{files}/images", "bg"),
        task("kill", "--exec-id", "stays", "-s", "9", "bg"),
        wait("bg", "stays"),
        task("rm", "--exec-id", "stays", "bg"),
        task("kill", "-s", "9", "bg"),
        untilStatus("bg", "STOPPED"),
        shapeOf(task("metrics", "bg")),
        wait("bg"),
        task("kill", "-s", "9", "bg"),
        task("exec", "--exec-id", "late", "bg", "/bin/true"),
        task("rm", "bg"),
        task("rm", "bg"),
        run(["containers", "rm", "bg"]),
        ...gone("newer"),
        task("ls"),
      ],
    },
    {
      title: "the steps of a task of runtime v1 are told, its exits by its shim",
      prepare,
      steps: [
        inNoOrder(
          masked(
            printed(
              ["namespace=={ns},topic~=^/tasks/"],
              [
                sleeping("c"),
                task("exec", "--exec-id", "e", "c", ...sh("exit 3")),
                task("pause", "c"),
                task("resume", "c"),
                task("rm", "-f", "c"),
                runContainer(["--rm", "--null-io", ...legacy], "d", sh("exit 5")),
              ],
              /tasks.delete.*"exit_status":5/,
            ),
          ),
        ),
      ],
    },
  ],
  { containers: true },
);
