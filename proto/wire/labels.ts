import { classedError } from "./errors.ts";

/** Bytes of a label's key and value together, at most. */
export const labelLimitBytes = 4096;
/** Bytes of an over-long label's key that an error shows. */
const shownKeyBytes = 10;

/**
 * Checks a label as containerd's labels/validate.go does. `where` begins the message, as in `info.Labels`; ""
 * for none. Throws invalid-argument.
 */
export function validateLabel(where: string, key: string, value: string): void {
  if (Buffer.byteLength(key) + Buffer.byteLength(value) <= labelLimitBytes) return;
  const shown = Buffer.from(key).toString("utf8", 0, shownKeyBytes);
  const prefix = where === "" ? "" : `${where}: `;
  throw classedError(
    "invalid-argument",
    `${prefix}label key and value greater than maximum size (${labelLimitBytes} bytes), key: ${shown}`,
  );
}

/** Checks each label; see validateLabel. */
export function validateLabels(where: string, labels: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(labels)) validateLabel(where, key, value);
}

/** The labels to store: an empty value means "delete" and is left out. */
export function keptLabels(labels: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== ""));
}
