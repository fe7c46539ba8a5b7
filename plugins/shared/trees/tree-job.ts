import { copyTree } from "./copy.ts";
import { measureTree, type TreeUsage } from "./measure.ts";
import { measureChanges } from "./measure-changes.ts";
import { removeTrees } from "./remove.ts";
import { makeSubvolume, removeSubvolumes } from "./subvolumes.ts";

/** Work on trees, as a worker is asked for it. */
export type TreeJob =
  | { readonly task: "measure"; readonly path: string }
  | { readonly task: "copy"; readonly from: string; readonly to: string }
  | { readonly task: "remove"; readonly paths: readonly string[] }
  | { readonly task: "measure-changes"; readonly from: string; readonly to: string }
  | {
      readonly task: "make-subvolume";
      readonly path: string;
      readonly source: string | undefined;
      readonly isReadonly: boolean;
    }
  | { readonly task: "remove-subvolumes"; readonly paths: readonly string[] };

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
      case "measure-changes":
        return { usage: measureChanges(job.from, job.to) };
      case "make-subvolume":
        makeSubvolume(job.path, job.source, job.isReadonly);
        return { usage: undefined };
      case "remove-subvolumes":
        removeSubvolumes(job.paths);
        return { usage: undefined };
    }
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    return { failure: { message, code } };
  }
}
