import { HostError } from "#proto/wire/errors.ts";

/** A layer that is no well-formed tar; containerd answers UNKNOWN, too. */
export function tarError(what: string): HostError {
  return new HostError("unknown", `archive/tar: ${what}; the layer is damaged or was made wrongly`);
}

export const invalidHeader = "invalid tar header";
export const unexpectedEnd = "unexpected EOF";
