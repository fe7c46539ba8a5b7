import { classedError } from "./errors.ts";
import { metadataKeys } from "./metadata-keys.ts";

/** Bytes in an identifier, at most. */
export const identifierLimitBytes = 76;

const pattern = "^[A-Za-z0-9]+(?:[._-](?:[A-Za-z0-9]+))*$";
const identifier = new RegExp(pattern);

/**
 * Checks a namespace, container or exec id or topic part as containerd's identifiers/validate.go does.
 * Throws invalid-argument in containerd's words.
 */
export function validateIdentifier(text: string): void {
  const problem = identifierProblem(text);
  if (problem !== undefined) throw classedError("invalid-argument", problem);
}

/** What is wrong with an identifier, without class words; undefined: nothing. */
export function identifierProblem(text: string): string | undefined {
  if (text === "") return "identifier must not be empty";
  if (Buffer.byteLength(text) > identifierLimitBytes) {
    return `identifier ${quote(text)} greater than maximum length (${identifierLimitBytes} characters)`;
  }
  if (!identifier.test(text)) return `identifier ${quote(text)} must match ${pattern}`;
  return undefined;
}

/**
 * The namespace a call is made in, from its metadata. Throws failed-precondition `namespace is required` without
 * one and invalid-argument for a bad one.
 */
export function namespaceOf(metadata: Readonly<Record<string, string>>): string {
  const namespace = metadata[metadataKeys.namespace] ?? "";
  if (namespace === "") throw classedError("failed-precondition", "namespace is required");
  const problem = identifierProblem(namespace);
  if (problem !== undefined) throw classedError("invalid-argument", `namespace validation: ${problem}`);
  return namespace;
}

const shortEscapes: Readonly<Record<string, string>> = {
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  '"': '\\"',
  "\\": "\\\\",
};

/** A text as Go's %q prints it: quoted, with what cannot be printed escaped. */
export function quote(text: string): string {
  let quoted = "";
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    quoted += shortEscapes[character] ?? (isPrintable(character) ? character : escapeCode(code));
  }
  return `"${quoted}"`;
}

function isPrintable(character: string): boolean {
  return character === " " || /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(character);
}

function escapeCode(code: number): string {
  if (code < 0x20 || code === 0x7f) return `\\x${code.toString(16).padStart(2, "0")}`;
  return code < 0x10000 ? `\\u${code.toString(16).padStart(4, "0")}` : `\\U${code.toString(16).padStart(8, "0")}`;
}
