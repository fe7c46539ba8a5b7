import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cgroupOf } from "./cgroup-files.ts";
import { compareCases } from "./compare.ts";
import type { Outcome } from "./outcome.ts";
import { run, view, type Step } from "./steps.ts";
import { heard, runContainer, runTalking, talking, task, untilStatus, withRootfs } from "./task-steps.ts";

const sleeping = (id: string, flags: readonly string[]) =>
  runContainer(["-d", "--null-io", ...flags], id, ["/bin/sleep", "1000"]);
const gone = (id: string): readonly Step[] => [task("rm", "-f", id), run(["containers", "rm", id])];
/** Values of keys of the container's own status. */
const ownStatus = (keys: string) =>
  `cat /proc/self/status | while read k v; do case $k in ${keys}) echo $k $v;; esac; done`;
const showMounts = "cat /proc/self/mountinfo | while read a b c d p rest; do echo $p; done";
const showNetwork = "busybox readlink /proc/self/ns/net";

/** How much a container used before it was limited is chance. */
const usageMasked = (outcome: Outcome): Outcome =>
  JSON.parse(JSON.stringify(outcome).replaceAll(/usage: \d+/g, "usage: <bytes>")) as Outcome;

/** Allows what the default does not need to know, and forbids making folders. */
const profile = {
  defaultAction: "SCMP_ACT_ALLOW",
  syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 1 }],
};

async function prepare(files: string): Promise<void> {
  await withRootfs(files);
  await writeFile(join(files, "env"), "ONE=1\nTWO=two words\n");
  await writeFile(join(files, "profile.json"), JSON.stringify(profile));
  await writeFile(join(files, "broken.json"), "{");
  const process = { user: { uid: 0, gid: 0 }, args: ["/bin/sh", "-c", talking("echo by the spec")], cwd: "/" };
  const root = { path: join(files, "rootfs") };
  const linux = { namespaces: [{ type: "mount" }, { type: "pid" }] };
  const mounts = [{ destination: "/proc", type: "proc", source: "proc" }];
  await writeFile(join(files, "spec.json"), JSON.stringify({ ociVersion: "1.0.2", process, root, linux, mounts }));
}

/** Whether a file holds the pid of a running task, or what else it holds. */
function pidFile(name: string): Step {
  return {
    title: `the pid in ${name}`,
    run: async (target) => {
      const text = await readFile(join(target.files, name), "utf8");
      const { stdout } = (await run(["task", "ls"]).run(target)) as { stdout: string };
      return new RegExp(`^\\S+ +${text} +RUNNING`, "m").test(stdout) ? "<pid>" : text;
    },
  };
}

compareCases(
  "run-flags",
  [
    {
      title: "a container's process is given what was asked for",
      prepare,
      steps: [
        runTalking(["--rm", "--env-file", "{files}/env", "--env", "THREE=3"], "env", "env"),
        runContainer(["--rm", "--env-file", "{files}/absent"], "noenv", ["/bin/env"]),
        runTalking(["--rm"], "caps", ownStatus("Cap*|NoNewPrivs:|Seccomp:")),
        runTalking(["--rm", "--cap-add", "CAP_SYS_ADMIN", "--cap-drop", "CAP_CHOWN"], "capped", ownStatus("Cap*")),
        runContainer(["--rm", "--cap-add", "nonsense"], "badcap", ["/bin/true"]),
        runTalking(["--rm", "--allow-new-privs"], "privs", ownStatus("NoNewPrivs:")),
        runTalking(["--rm", "--privileged"], "all", ownStatus("Cap*|NoNewPrivs:")),
        runTalking(
          ["--rm", "--seccomp", "--seccomp-profile", "{files}/profile.json"],
          "profile",
          "busybox mkdir /tmp/x",
        ),
        runContainer(["--rm", "--seccomp", "--seccomp-profile", "{files}/broken.json"], "broken", ["/bin/true"]),
        runContainer(["--rm", "--seccomp", "--seccomp-profile", "{files}/absent.json"], "absent", ["/bin/true"]),
        runContainer(["--rm", "--apparmor-profile", "none-such"], "apparmor", ["/bin/true"]),
        runContainer(["--rm", "--rdt-class", "none-such"], "rdt", ["/bin/true"]),
        runContainer(["--rm", "--gpus", "0"], "gpus", ["/bin/true"]),
        runContainer(["--rm", "--cni"], "cni", ["/bin/true"]),
        runContainer(["--rm", "--label", "a=b", "--annotation", "c=d"], "labelled", ["/bin/true"]),
        run(["containers", "ls"]),
      ],
    },
    {
      title: "a container sees the files, devices and networks that were asked for",
      prepare,
      steps: [
        runTalking(["--rm"], "plain", showMounts),
        runTalking(
          [
            "--rm",
            "--mount",
            "type=bind,src={files},dst=/tmp,options=rbind:ro",
            "--mount",
            "type=tmpfs,dst=/home,options=size=1m",
          ],
          "mounts",
          "cat /tmp/env; touch /tmp/x; touch /home/x && ls /home",
        ),
        runContainer(["--rm", "--mount", "type=bind,src={files}/absent,dst=/tmp,options=rbind"], "nosource", [
          "/bin/true",
        ]),
        runContainer(["--rm", "--mount", "nonsense"], "badmount", ["/bin/true"]),
        runTalking(["--rm", "--device", "/dev/full"], "device", "busybox stat -c %t:%T /dev/full"),
        runContainer(["--rm", "--device", "/dev/absent"], "nodevice", ["/bin/true"]),
        runTalking(["--rm", "--read-only"], "readonly", "touch /x"),
        runContainer(["--rm", "--rootfs-propagation", "rshared"], "shared", ["/bin/true"]),
        runContainer(["--rm", "--rootfs-propagation", "nonsense"], "badshare", ["/bin/true"]),
        runContainer(["--rm", "--no-pivot"], "nopivot", ["/bin/true"]),
        runTalking(["--rm", "--net-host"], "net", showNetwork),
        runTalking(["--rm", "--with-ns", "network:/proc/1/ns/net"], "joined", showNetwork),
        runContainer(["--rm", "--with-ns", "ipc:{files}/env"], "nons", ["/bin/true"]),
        runContainer(["--rm", "--with-ns", "nonsense"], "badns", ["/bin/true"]),
        runContainer(["--rm", "--with-ns", "nonsense:/proc/1/ns/net"], "kind", ["/bin/true"]),
      ],
    },
    {
      title: "a container's group is where it was asked for, with its limits",
      prepare,
      steps: [
        sleeping("default", []),
        cgroupOf("/{ns}/default"),
        ...gone("default"),
        cgroupOf("/{ns}/default"),
        sleeping("limited", ["--memory-limit", "33554432", "--cpu-shares", "512", "--cpus", "0.5"]),
        cgroupOf("/{ns}/limited"),
        ...gone("limited"),
        sleeping("quota", ["--cpu-quota", "20000", "--cpu-period", "50000"]),
        cgroupOf("/{ns}/quota"),
        ...gone("quota"),
        runContainer(["--rm", "--cpus", "1", "--cpu-quota", "20000"], "both", ["/bin/true"]),
        view(runContainer(["--rm", "--memory-limit", "1024"], "tiny", ["/bin/true"]), usageMasked),
        sleeping("deep", ["--cgroup", "/{ns}/deep/group"]),
        cgroupOf("/{ns}/deep/group"),
        ...gone("deep"),
        cgroupOf("/{ns}/deep/group"),
        cgroupOf("/{ns}/deep"),
        runContainer(["--rm", "--cgroup", ""], "none", ["/bin/true"]),
        runContainer(["--rm", "--runc-systemd-cgroup"], "systemd", ["/bin/true"]),
      ],
    },
    {
      title: "a container's runtime is told what was asked for",
      prepare,
      steps: [
        sleeping("pid", ["--pid-file", "{files}/pid"]),
        pidFile("pid"),
        ...gone("pid"),
        runContainer(["--rm", "--pid-file", "{files}/no/folder"], "nofolder", ["/bin/true"]),
        run(["containers", "ls"]),
        task("ls"),
        ...gone("nofolder"),
        sleeping("elsewhere", ["--runc-root", "{files}/runc"]),
        task("ps", "elsewhere"),
        ...gone("elsewhere"),
        runContainer(["--rm", "--runc-binary", "runc"], "named", ["/bin/true"]),
        runContainer(["--rm", "--runtime-config-path", "{files}/env"], "configured", ["/bin/true"]),
        heard(["run", "--rm", "--config", "{files}/spec.json", "spec"]),
        run(["run", "--rm", "--config", "{files}/broken.json", "spec"]),
        run(["run", "--rm", "--config", "{files}/absent.json", "spec"]),
        run(["run", "--rm", "--config", "{files}/spec.json", "spec", "/bin/true"]),
        run(["run", "-d", "--rm", "--rootfs", "{files}/rootfs", "both", "/bin/true"]),
        run(["run"]),
        run(["run", "--rootfs", "{files}/rootfs"]),
        runTalking(["--fifo-dir", "{files}/fifos"], "fifos", "echo through them"),
        run(["containers", "rm", "fifos"]),
        runContainer(["-d", "--null-io"], "brief", ["/bin/true"]),
        untilStatus("brief", "STOPPED"),
        run(["containers", "rm", "brief"]),
        task("ls"),
      ],
    },
  ],
  { containers: true },
);
