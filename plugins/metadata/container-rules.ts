import type { Container } from "#proto/gen/containerd/services/containers/v1/containers_pb.ts";
import { classedError } from "#proto/wire/errors.ts";
import { identifierProblem } from "#proto/wire/identifiers.ts";
import { isHostError } from "#proto/wire/errors.ts";
import { validateLabels } from "#proto/wire/labels.ts";

/**
 * Checks a container as containerd metadata/containers.go does; `attempt` begins each message.
 * Throws invalid-argument.
 */
export function checkContainer(attempt: string, container: Container): void {
  const problem = problemOf(container);
  if (problem !== undefined) throw classedError("invalid-argument", `${attempt}: ${problem}`);
}

function problemOf({ id, extensions, labels, runtime, spec, snapshotKey, snapshotter }: Container): string | undefined {
  const idProblem = identifierProblem(id);
  if (idProblem !== undefined) return `container.ID: ${idProblem}`;
  if (Object.hasOwn(extensions, "")) return "container.Extension keys must not be zero-length";
  const problem = labelProblem(labels);
  if (problem !== undefined) return problem;
  if ((runtime?.name ?? "") === "") return "container.Runtime.Name must be set";
  if (spec === undefined) return "container.Spec must be set";
  if (snapshotKey !== "" && snapshotter === "") {
    return "container.Snapshotter must be set if container.SnapshotKey is set";
  }
  return undefined;
}

function labelProblem(labels: Readonly<Record<string, string>>): string | undefined {
  try {
    validateLabels("containers.Labels", labels);
    return undefined;
  } catch (error) {
    if (!isHostError(error)) throw error;
    return error.message.replace(/: invalid argument$/, "");
  }
}
