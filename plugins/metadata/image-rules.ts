import { digestProblem } from "#proto/wire/digest.ts";
import { classedError } from "#proto/wire/errors.ts";
import { quote } from "#proto/wire/identifiers.ts";
import { validateLabels } from "#proto/wire/labels.ts";

/** The fields of an image that a client decides. */
export interface ImageFields {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly target: {
    readonly mediaType: string;
    readonly digest: string;
    /** Bytes. */
    readonly size: bigint;
    readonly annotations: Readonly<Record<string, string>>;
  };
}

/** Checks labels, then the target, as containerd metadata/images.go does. Throws invalid-argument. */
export function checkImage({ labels, target }: ImageFields): void {
  validateLabels("image.Labels", labels);
  const problem = digestProblem(target.digest);
  if (problem !== undefined) {
    throw classedError("invalid-argument", `Target.Digest ${quote(target.digest)} invalid: ${problem}`);
  }
  if (target.size <= 0n) throw classedError("invalid-argument", "Target.Size must be greater than zero");
  if (target.mediaType === "") throw classedError("invalid-argument", "Target.MediaType must be set");
}
