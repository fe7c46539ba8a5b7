import { HostError } from "#proto/wire/errors.ts";
import { quote } from "#proto/wire/identifiers.ts";
import { keptLabels } from "#proto/wire/labels.ts";

/** The labels to store: those with a value. Throws unknown for an empty key, as containerd's database does. */
export function storedLabels(labels: Readonly<Record<string, string>>): Record<string, string> {
  const kept = keptLabels(labels);
  if (Object.hasOwn(kept, "")) {
    throw new HostError("unknown", `failed to set label ""=${quote(kept[""] ?? "")}: key required`);
  }
  return kept;
}
