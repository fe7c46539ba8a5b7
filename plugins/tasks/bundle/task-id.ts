import { classedError } from "bulkhead/plugin";
import { identifierProblem } from "#proto/wire/identifiers.ts";

/** Throws invalid-argument for what may be no folder's name. */
export function validateTaskId(id: string): void {
  const problem = identifierProblem(id);
  if (problem !== undefined) throw classedError("invalid-argument", `invalid task id ${id}: ${problem}`);
}

/** Throws invalid-argument in containerd's words. */
export function validateExecId(id: string): void {
  const problem = identifierProblem(id);
  if (problem !== undefined) throw classedError("invalid-argument", `invalid exec id ${id}: ${problem}`);
}
