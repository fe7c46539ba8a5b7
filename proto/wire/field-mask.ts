/** A path of an update's field mask: a whole field (`labels`), or one entry of a map (`labels.a.b/c`). */
export interface MaskPath {
  readonly field: string;
  /** The rest after the first dot, dots and slashes kept; undefined for a whole field. */
  readonly key: string | undefined;
}

/** Fields that may stand in a mask. */
export interface MaskRules {
  /** Those that may be replaced whole. */
  readonly whole: readonly string[];
  /** Maps of which single entries may be named. */
  readonly keyed: readonly string[];
}

/**
 * Reads a mask path by the rules; undefined when it names something that may not be updated. containerd takes
 * paths as plain strings, without the quoting rules of google.protobuf.FieldMask.
 */
export function parseMaskPath(path: string, rules: MaskRules): MaskPath | undefined {
  if (rules.whole.includes(path)) return { field: path, key: undefined };
  const field = rules.keyed.find((name) => path.startsWith(`${name}.`));
  return field === undefined ? undefined : { field, key: path.slice(field.length + 1) };
}

/**
 * A map after one entry was updated: the entry as requested, or gone where the request lacks it. Empty values stay;
 * whether those mean "delete" is the caller's to know.
 */
export function updateEntry<T>(
  stored: Readonly<Record<string, T>>,
  requested: Readonly<Record<string, T>>,
  key: string,
): Record<string, T> {
  const rest = Object.entries(stored).filter(([name]) => name !== key);
  const wanted = Object.entries(requested).filter(([name]) => name === key);
  return Object.fromEntries([...rest, ...wanted]);
}
