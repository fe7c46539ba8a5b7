import { isAbsolute, normalize } from "node:path";
import { pathToFileURL } from "node:url";
import { HostError } from "bulkhead/plugin";
import { restartLabels, type Labels } from "./labels.ts";

/** Where a task that is started again writes to; empty: nowhere. Throws invalid-argument for a relative path. */
export function outputOf(labels: Labels): string {
  const uri = labels[restartLabels.logUri] ?? "";
  const path = labels[restartLabels.logPath] ?? "";
  if (uri !== "" || path === "") return uri;
  if (!isAbsolute(path)) throw new HostError("invalid-argument", `${restartLabels.logPath}: absolute path needed`);
  return pathToFileURL(normalize(path)).href;
}
