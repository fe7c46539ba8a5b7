import { boxImage, withBoxImage } from "./box-image.ts";
import { compareCases } from "./compare.ts";
import { countedIds } from "./snapshot-ids.ts";
import { run, view, type Step } from "./steps.ts";
import { masked, task } from "./task-steps.ts";

const point = (tag: string) => `127.0.0.1:1/point:${tag}`;
const checkpoint = (...words: readonly string[]): Step => masked(run(["containers", "checkpoint", ...words]));
const restore = (...words: readonly string[]): Step => masked(run(["containers", "restore", ...words]));
/** Of a container that has run, the layer of its changes has times in it, and so has its digest. */
const ended = (step: Step): Step => view(step, (outcome) => (outcome as { readonly code: number }).code);

compareCases(
  "checkpoint",
  [
    {
      title: "checkpoints are made of containers, and containers of checkpoints; of processes criu makes them",
      prepare: withBoxImage,
      steps: [
        run(["image", "import", "{files}/image.tar"]),
        masked(run(["run", "-d", "--null-io", boxImage, "c", "/bin/sh", "-c", "echo x > /tmp/x; exec sleep 1000"])),
        task("checkpoint", "c"),
        task("checkpoint", "--exit", "c"),
        task("checkpoint", "--image-path", "{files}/images", "--work-path", "{files}/work", "c"),
        task("checkpoint", "absent"),
        checkpoint("c", point("plain")),
        checkpoint("--task", "c", point("task")),
        checkpoint("--image", "c", point("image")),
        ended(checkpoint("--image", "--rw", "c", point("rw"))),
        checkpoint("absent", point("absent")),
        checkpoint("c"),
        task("ls"),
        run(["image", "ls", "-q"]),
        restore("d", point("plain")),
        restore("e", point("image")),
        restore("--rw", "f", point("rw")),
        restore("--live", "g", point("image")),
        restore("h", point("absent")),
        run(["containers", "ls"]),
        run(["snapshots", "ls"]),
        run(["leases", "ls"]),
        task("ls"),
        task("rm", "-f", "c", "d", "e", "f", "g"),
        run(["containers", "rm", "c", "d", "e", "f", "g"]),
      ].map((step) => countedIds(step)),
    },
  ],
  { containers: true },
);
