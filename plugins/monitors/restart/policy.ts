import { HostError } from "bulkhead/plugin";
import { restartLabels, type Labels } from "./labels.ts";

/** A policy, read: `always` where there is no label, as before containerd 1.7. */
type Policy =
  | { readonly name: "no" | "always" | "unless-stopped" }
  /** At most so many starts; 0: no limit. */
  | { readonly name: "on-failure"; readonly retries: number };

const trueWords = ["1", "t", "T", "TRUE", "true", "True"];

/**
 * Whether a task that should run and does not is started, by the labels of its container and its last exit status (0
 * where there is no task). Throws invalid-argument for labels that mean nothing (containerd 1.7 runtime/restart).
 */
export function isRestarted(labels: Labels, exitStatus: number): boolean {
  const policy = readPolicy(labels[restartLabels.policy] ?? "");
  switch (policy.name) {
    case "always":
      return true;
    case "no":
      return false;
    case "unless-stopped":
      return !trueWords.includes(labels[restartLabels.explicitlyStopped] ?? "");
    case "on-failure":
      return exitStatus !== 0 && (policy.retries === 0 || countOf(labels) < policy.retries);
  }
}

/** The count for one more start; undefined: the container has no policy, and nobody counts. */
export function nextCount(labels: Labels): number | undefined {
  return labels[restartLabels.policy] === undefined ? undefined : countOf(labels) + 1;
}

function readPolicy(text: string): Policy {
  const [name = "", retries] = text.split(":");
  switch (name) {
    case "":
    case "always":
    case "no":
    case "unless-stopped":
      if (retries !== undefined) throw invalid(`restart policy "${name}" not support max retry count`);
      return { name: name === "" ? "always" : name };
    case "on-failure":
      if (retries !== undefined && !/^\d+$/.test(retries)) throw invalid(`invalid max retry count: ${retries}`);
      return { name, retries: Number(retries ?? 0) };
    default:
      throw invalid(`restart policy "${text}" not supported`);
  }
}

function countOf(labels: Labels): number {
  const text = labels[restartLabels.count] ?? "";
  if (!/^\d*$/.test(text)) throw invalid(`restart count is no number: ${text}`);
  return Number(text);
}

function invalid(message: string): HostError {
  return new HostError("invalid-argument", message);
}
