import { readdir } from "node:fs/promises";
import { Tasks } from "#proto/gen/containerd/services/tasks/v1/tasks_pb.ts";
import { badNames } from "./bad-input.ts";
import { compareCases } from "./compare.ts";
import { call, run, type Step } from "./steps.ts";
import { runContainer, task, withRootfs } from "./task-steps.ts";

/** A spec with which an exec would start, if its id were one. */
const spec = {
  typeUrl: "types.containerd.io/opencontainers/runtime-spec/1/Process",
  value: Buffer.from(JSON.stringify({ args: ["/bin/true"], cwd: "/", user: { uid: 0, gid: 0 } })),
};
/** What a command's arguments cannot hold, and what a message's text cannot. */
const words = badNames.filter((name) => !name.includes("\0"));

/** Names of all bundles of the case. */
const bundles: Step = {
  title: "the bundles there are",
  run: async ({ daemon, namespace }) => {
    const folder = daemon.folder.join("state/io.containerd.runtime.v2.task");
    const namespaces = (await readdir(folder)).filter((name) => name.startsWith(namespace));
    const names = namespaces.map((name) => readdir(`${folder}/${name}`));
    return [namespaces, (await Promise.all(names)).flat()];
  },
};

compareCases(
  "task-ids",
  [
    {
      title: "containers, tasks and execs of forbidden ids are refused, and nothing is made of them",
      prepare: withRootfs,
      steps: [
        runContainer(["-d", "--null-io"], "c", ["/bin/sleep", "1000"]),
        ...words.map((id) => runContainer(["-d", "--null-io"], id, ["/bin/true"])),
        ...badNames.flatMap((containerId) => [
          call(Tasks, "create", { containerId }),
          call(Tasks, "start", { containerId }),
          call(Tasks, "get", { containerId }),
          call(Tasks, "delete", { containerId }),
          call(Tasks, "kill", { containerId, signal: 9 }),
          call(Tasks, "exec", { containerId, execId: "e", spec }),
        ]),
        ...badNames.flatMap((execId) => [
          call(Tasks, "exec", { containerId: "c", execId, spec }),
          ...(execId === "" ? [] : [call(Tasks, "kill", { containerId: "c", execId, signal: 9 })]),
          call(Tasks, "deleteProcess", { containerId: "c", execId }),
        ]),
        ...words.map((id) => task("exec", "--exec-id", id, "c", "/bin/true")),
        bundles,
        task("ls"),
        run(["containers", "ls", "-q"]),
        task("rm", "-f", "c"),
        run(["containers", "rm", "c"]),
      ],
    },
  ],
  { containers: true },
);
