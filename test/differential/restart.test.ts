import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Tasks } from "#proto/gen/containerd/services/tasks/v1/tasks_pb.ts";
import { metadataKeys } from "#proto/wire/metadata-keys.ts";
import { clientOf } from "#rpc";
import { defaultDeadlineMs } from "../harness/deadline.ts";
import { compareCases } from "./compare.ts";
import { call, run, view, type Step, type Target } from "./steps.ts";
import { runContainer, task, untilStatus, withRootfs } from "./task-steps.ts";

const status = "containerd.io/restart.status";
const sleeping = (id: string) => runContainer(["-d", "--null-io"], id, ["/bin/sleep", "1000"]);
const label = (id: string, ...labels: readonly string[]) => run(["containers", "label", id, ...labels]);
const rm = (id: string) => run(["containers", "rm", id]);

/** Pid of a running task; undefined: there is none. */
async function pidOf({ channel, namespace }: Target, containerId: string): Promise<number | undefined> {
  const options = { metadata: { [metadataKeys.namespace]: namespace } };
  const { tasks } = await clientOf(Tasks, channel).list({}, options);
  return tasks.find(({ id, status: state }) => id === containerId && state === 2)?.pid;
}

/** Asks until it is so: rounds of the monitor tell nobody of themselves. */
async function until(what: string, isSo: () => Promise<boolean>): Promise<null> {
  const end = Date.now() + defaultDeadlineMs;
  while (!(await isSo())) if (Date.now() > end) throw new Error(`never: ${what}`);
  return null;
}

/** A step after which the task runs anew. */
function runsAnewAfter(id: string, step: Step): Step {
  return {
    title: `${id} runs anew after: ${step.title}`,
    run: async (target) => {
      const before = await pidOf(target, id);
      const outcome = await step.run(target);
      await until(`${target.daemon.name}: ${id} runs anew`, async () => {
        const pid = await pidOf(target, id);
        return pid !== undefined && pid !== before;
      });
      return outcome;
    },
  };
}

/** Waits until a container has no task. */
function untilGone(id: string): Step {
  return {
    title: `until ${id} has no task`,
    run: (target) =>
      until(`${target.daemon.name}: ${id} has no task`, async () => {
        const options = { metadata: { [metadataKeys.namespace]: target.namespace } };
        const { tasks } = await clientOf(Tasks, target.channel).list({}, options);
        return tasks.every((each) => each.id !== id);
      }),
  };
}

function untilText(name: string, text: string): Step {
  return {
    title: `until ${name} is ${JSON.stringify(text)}`,
    run: ({ files }) => until(name, async () => (await readFile(join(files, name), "utf8").catch(() => "")) === text),
  };
}

compareCases(
  "restart",
  [
    {
      title: "a container that is to run is started again, until it is to be stopped",
      prepare: withRootfs,
      steps: [
        sleeping("c"),
        label("c", `${status}=running`),
        runsAnewAfter("c", task("kill", "-s", "9", "c")),
        // The monitor may delete the killed task before ctr does.
        runsAnewAfter(
          "c",
          view(task("rm", "-f", "c"), () => null),
        ),
        run(["containers", "label", "c", `${status}=stopped`]),
        untilGone("c"),
        label("c", `${status}=running`),
        untilStatus("c", "RUNNING"),
        label("c", `${status}=`),
        task("rm", "-f", "c"),
        task("ls"),
        run(["containers", "info", "c"]),
        rm("c"),
      ],
    },
    {
      title: "a container whose task nobody made is started, with its output where its labels say",
      prepare: async (files) => {
        await withRootfs(files);
        await writeFile(join(files, "rootfs/bin/hello"), "#!/bin/sh\necho hello\nexec sleep 1000\n", { mode: 0o755 });
      },
      steps: [
        run(["containers", "create", "--rootfs", "{files}/rootfs", "c", "/bin/hello"]),
        label("c", "containerd.io/restart.loguri=file://{files}/uri", `${status}=running`),
        untilStatus("c", "RUNNING"),
        untilText("uri", "hello\n"),
        runsAnewAfter("c", task("kill", "-s", "9", "c")),
        untilText("uri", "hello\nhello\n"),
        label("c", "containerd.io/restart.loguri=", "containerd.io/restart.logpath={files}/path"),
        runsAnewAfter("c", task("kill", "-s", "9", "c")),
        untilText("path", "hello\n"),
        label("c", `${status}=stopped`),
        untilGone("c"),
        rm("c"),
      ],
    },
    {
      title: "a paused task that is to run is made anew, one with another wish is left alone",
      prepare: withRootfs,
      steps: [
        sleeping("c"),
        task("pause", "c"),
        runsAnewAfter("c", label("c", `${status}=running`)),
        label("c", `${status}=nonsense`),
        task("kill", "-s", "9", "c"),
        untilStatus("c", "STOPPED"),
        call(Tasks, "delete", { containerId: "absent" }),
        task("rm", "c"),
        rm("c"),
      ],
    },
  ],
  { containers: true, plugins: { "io.containerd.internal.v1.restart": { interval: "50ms" } } },
);
