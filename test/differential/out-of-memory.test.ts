import { compareCases, type Case } from "./compare.ts";
import { printed } from "./observe.ts";
import { run, view, type Step } from "./steps.ts";
import { runContainer, task, untilStatus, withRootfs } from "./task-steps.ts";

/** Doubles a text until there is no room. */
const fill = ["/bin/sh", "-c", "x=0123456789abcdef; while :; do x=$x$x; done"];
const limited = (runtime: string): Step =>
  runContainer(["-d", "--null-io", "--runtime", runtime, "--memory-limit", "16777216"], "hog", fill);

/** The kernel may tell more than once of one container: lines without their times, each once. */
const once = (step: Step): Step =>
  view(step, (lines) => [...new Set((lines as readonly string[]).map((line) => line.replace(/^.* UTC /, "")))]);

const caseOf = (runtime: string): Case => ({
  title: `a container of ${runtime} that runs out of memory is killed, and that is told of`,
  prepare: withRootfs,
  steps: [
    once(
      printed(
        ["namespace=={ns},topic~=^/tasks/oom"],
        [limited(runtime), untilStatus("hog", "STOPPED")],
        /\/tasks\/oom/,
      ),
    ),
    task("rm", "hog"),
    run(["containers", "rm", "hog"]),
  ],
});

compareCases(
  "out-of-memory",
  ["io.containerd.runc.v2", "io.containerd.runc.v1", "io.containerd.runtime.v1.linux"].map(caseOf),
  { containers: true },
);
