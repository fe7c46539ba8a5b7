import { copyTree } from "./copy.ts";
import { measureTree, type TreeUsage } from "./measure.ts";
import { removeTrees } from "./remove.ts";

/** Work on trees, as a worker is asked for it. */
export type TreeJob =
  | { readonly task: "measure"; readonly path: string }
  | { readonly task: "copy"; readonly from: string; readonly to: string }
  | { readonly task: "remove"; readonly paths: readonly string[] };

/** How it ended; the class of an error does not cross threads, its code does. */
export type TreeAnswer =
  | { readonly usage: TreeUsage | undefined }
  | { readonly failure: { readonly message: string; readonly code: string | undefined } };

/** Carries a job out, keeping the thread meanwhile. */
export function runTreeJob(job: TreeJob): TreeAnswer {
  try {
    switch (job.task) {
      case "measure":
        return { usage: measureTree(job.path) };
      case "copy":
        copyTree(job.from, job.to);
        return { usage: undefined };
      case "remove":
        removeTrees(job.paths);
        return { usage: undefined };
    }
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    return { failure: { message, code } };
  }
}
