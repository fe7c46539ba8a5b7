import { boxImage, foreignImage, withBoxImage } from "./box-image.ts";
import { compareCases, type Case } from "./compare.ts";
import { printed } from "./observe.ts";
import { countedIds } from "./snapshot-ids.ts";
import { run, sortedLines, type Step } from "./steps.ts";
import { heard, masked, talking, task, untilStatus } from "./task-steps.ts";
import { collect } from "./unpacked.ts";

const sh = (script: string) => ["/bin/sh", "-c", script];
const containers = (...words: readonly string[]): Step => run(["containers", ...words]);

/** Containers of an image, their root a snapshot of one snapshotter. */
function casesOf(snapshotter: string): readonly Case[] {
  const on = ["--snapshotter", snapshotter];
  const imported = run(["image", "import", ...on, "{files}/image.tar"]);
  const runImage = (flags: readonly string[], ...words: readonly string[]): Step =>
    masked(run(["run", ...on, ...flags, boxImage, ...words]));
  const runTalking = (flags: readonly string[], id: string, script?: string): Step => {
    const command = script === undefined ? [] : ["/bin/sh", "-c", talking(script)];
    return heard(["run", ...on, ...flags, boxImage, id, ...command]);
  };
  const snapshots: readonly Step[] = [run(["snapshots", ...on, "ls"]), run(["snapshots", ...on, "tree"])];
  return [
    {
      title: `an image runs, and leaves what it is to leave, on ${snapshotter}`,
      prepare: withBoxImage,
      steps: [
        imported,
        runTalking(["--rm"], "default"),
        runTalking(["--rm"], "one", "echo out; echo err >&2; (exit 42)"),
        runTalking(["--rm", "--user", "0"], "root", "echo $HOME; touch /etc/x"),
        runTalking(["--rm", "--user", "user:more"], "named", "id"),
        runImage(["--rm", "--user", "absent"], "nobody", "/bin/true"),
        runTalking(["--rm", "--read-only"], "readonly", "touch /home/user/x"),
        runTalking(["--rm", "--env", "GREETING=bye", "--cwd", "/tmp"], "given"),
        ...snapshots,
        runImage(["--label", "a=b", "--snapshotter-label", "c=d"], "kept", ...sh("echo changed > /tmp/changed")),
        ...snapshots,
        run(["snapshots", ...on, "info", "kept"]),
        containers("ls"),
        containers("info", "kept"),
        runImage([], "kept", "/bin/true"),
        runImage(["--rm"], "kept", "/bin/true"),
        // Its root is as it left it.
        run(["task", "start", "kept"]),
        containers("rm", "kept"),
        ...snapshots,
        run(["leases", "ls"]),
        task("ls"),
      ],
    },
    {
      title: `an image's container in the background keeps its snapshot until it is removed, on ${snapshotter}`,
      prepare: withBoxImage,
      steps: [
        imported,
        runImage(["-d"], "bg", ...sh("trap 'exit 12' USR1; touch /tmp/ready; while true; do sleep 0.1; done")),
        run(["task", "exec", "--exec-id", "e", "bg", ...sh("until [ -e /tmp/ready ]; do sleep 0.1; done")]),
        run(["image", "rm", "--sync", boxImage]),
        ...collect,
        containers("rm", "bg"),
        ...snapshots,
        // The stop signal is the image's.
        task("kill", "bg"),
        untilStatus("bg", "STOPPED"),
        task("ls"),
        containers("rm", "bg"),
        task("ls"),
        ...collect,
        ...snapshots,
      ],
    },
    {
      title: `what was not unpacked is unpacked when it runs, on ${snapshotter}`,
      prepare: withBoxImage,
      steps: [
        run(["image", "import", "--no-unpack", "{files}/image.tar"]),
        runTalking(["--rm"], "one", "echo unpacked"),
        ...snapshots,
        run(["image", "import", "--no-unpack", "--all-platforms", "{files}/foreign.tar"]),
        run(["run", "--rm", ...on, foreignImage, "two", "/bin/true"]),
        run(["run", "--rm", ...on, "--platform", "linux/nonsense", boxImage, "three", "/bin/true"]),
        run(["run", "--rm", ...on, "example.com/absent:1", "four", "/bin/true"]),
        run(["run", "--rm", "--snapshotter", "absent", boxImage, "five", "/bin/true"]),
        runImage(["--rm"], "bad id", "/bin/true"),
        runImage(["--rm"], "absent", "/bin/absent"),
        runImage(["--rm", "--runtime", "io.containerd.nope.v9"], "six", "/bin/true"),
        runImage(["--runtime", "io.containerd.nope.v9"], "seven", "/bin/true"),
        containers("ls"),
        ...snapshots,
        run(["leases", "ls"]),
      ],
    },
    {
      title: `ids are mapped for an image's container, on ${snapshotter}`,
      prepare: withBoxImage,
      steps: [
        imported,
        runTalking(
          ["--rm", "--user", "0", "--uidmap", "0:100000:65536", "--gidmap", "0:200000:65536"],
          "mapped",
          "id -u; busybox stat -c '%u %g' /etc /home/user; cat /proc/self/uid_map /proc/self/gid_map",
        ),
        sortedLines(run(["snapshots", ...on, "ls"])),
        runTalking(
          ["--user", "0", "--uidmap", "0:100000:65536", "--gidmap", "0:200000:65536", "--remap-labels"],
          "labels",
          "id -u; busybox stat -c '%u %g' /etc /home/user",
        ),
        run(["snapshots", ...on, "info", "labels"]),
        containers("rm", "labels"),
        runImage(["--rm", "--uidmap", "0:100000:65536"], "half", "/bin/true"),
        runImage(["--rm", "--uidmap", "nonsense", "--gidmap", "0:1:1"], "bad", "/bin/true"),
        sortedLines(run(["snapshots", ...on, "ls"])),
      ],
    },
    {
      title: `events tell of an image's run on ${snapshotter}`,
      prepare: withBoxImage,
      steps: [
        imported,
        masked(
          printed(
            ["namespace=={ns},topic~=^/(containers|snapshot|tasks)/"],
            [runImage(["--rm"], "one", ...sh("exit 5"))],
            /\/containers\/delete/,
          ),
        ),
      ],
    },
  ];
}

const counted = (item: Case): Case => ({ ...item, steps: item.steps.map((step) => countedIds(step)) });

compareCases("run-image", ["overlayfs", "native"].flatMap(casesOf).map(counted), { containers: true });
