import { Child } from "../harness/child.ts";
import { containerdProgram } from "../harness/peers.ts";
import { compareCases } from "./compare.ts";
import { fill, run, type Step } from "./steps.ts";
import { masked, onPty, runContainer, task, untilStatus, withRootfs } from "./task-steps.ts";

const prepare = withRootfs;
const sh = (script: string) => ["/bin/sh", "-c", script];
/** Ends with `code` once it gets the signal; says when it gets one that ends nobody. */
const trapping = (signal: string, code: number) =>
  sh(`trap 'exit ${code}' ${signal}; trap 'echo heard' CONT; echo ready; while true; do sleep 0.05; done`);

/** How long ctr has between two attempts, milliseconds. */
const attemptMs = 500;

/** Runs `ctr` and sends it a signal once it hands signals on; gives how it ended. */
function signalled(signal: NodeJS.Signals, ...words: readonly string[]): Step {
  return {
    title: `ctr ${words.join(" ")}, sent ${signal}`,
    run: async (target) => {
      const { daemon, namespace } = target;
      const args = ["--address", daemon.address, "--namespace", namespace, ...words.map((word) => fill(word, target))];
      await using child = new Child(containerdProgram("ctr"), args);
      await child.output.waitFor(/ready/);
      // It does so some time after the container has started.
      const isHeard = () =>
        child.output.waitFor(/heard/, attemptMs).then(
          () => true,
          () => false,
        );
      do child.kill("SIGCONT");
      while (child.running && !(await isHeard()));
      child.kill(signal);
      return { ...(await child.waitForExit()) };
    },
  };
}

const onRootfs = ["run", "--rm", "--rootfs", "{files}/rootfs"];

compareCases(
  "signals",
  [
    {
      title: "signals that ctr gets are the container's",
      prepare,
      steps: [
        signalled("SIGTERM", ...onRootfs, "term", ...trapping("TERM", 21)),
        signalled("SIGINT", ...onRootfs, "int", ...trapping("INT", 22)),
        signalled("SIGUSR1", ...onRootfs, "usr", ...trapping("USR1", 23)),
        signalled("SIGHUP", ...onRootfs, "hup", ...trapping("HUP", 24)),
        task("ls"),
        run(["containers", "ls"]),
      ],
    },
    {
      title: "signals are an exec's, or all of a container's processes'",
      prepare,
      steps: [
        runContainer(["-d", "--null-io"], "c", trapping("USR2", 31)),
        signalled("SIGUSR1", "task", "exec", "--exec-id", "e", "c", ...trapping("USR1", 25)),
        task("exec", "-d", "--exec-id", "stays", "c", "/bin/sleep", "1000"),
        task("kill", "-s", "SIGKILL", "--exec-id", "stays", "c"),
        task("kill", "-s", "sigusr2", "c"),
        untilStatus("c", "STOPPED"),
        task("rm", "c"),
        run(["containers", "rm", "c"]),
      ],
    },
    {
      title: "a container made with a terminal is started on one",
      prepare,
      steps: [
        run(["containers", "create", "-t", "--rootfs", "{files}/rootfs", "tty", "/bin/sh"]),
        onPty(["task", "start", "tty"], "echo rea''dy; read -r x; exit 9\n"),
        task("ls"),
        masked(run(["containers", "rm", "tty"])),
      ],
    },
  ],
  { containers: true },
);
