import { HostError } from "#proto/wire/errors.ts";
import { quote } from "#proto/wire/identifiers.ts";
import { keptLabels } from "#proto/wire/labels.ts";

/**
 * The labels to store: those with a value. containerd's database refuses an empty key, which it answers as UNKNOWN;
 * `where` begins that message, as in `writing labels for image x: `.
 */
export function storedLabels(where: string, labels: Readonly<Record<string, string>>): Record<string, string> {
  const kept = keptLabels(labels);
  if (Object.hasOwn(kept, "")) {
    throw new HostError("unknown", `${where}failed to set label ""=${quote(kept[""] ?? "")}: key required`);
  }
  return kept;
}
