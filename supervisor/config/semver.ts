/** A version of semver.org: three numbers and the dotted pre-release words. */
export interface Version {
  readonly numbers: readonly [number, number, number];
  readonly pre: readonly string[];
}

const versionText = /^(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/;

/** undefined: not a version of semver.org. */
export function parseVersion(text: string): Version | undefined {
  const match = versionText.exec(text);
  if (match === null) return undefined;
  return { numbers: [Number(match[1]), Number(match[2]), Number(match[3])], pre: match[4]?.split(".") ?? [] };
}

/** A test of versions. */
export type Range = (version: Version) => boolean;

/**
 * A range as npm writes it: comparators (`>=0.3`, `<2`, `=1.2.3`, `^1.2`, `~1.4.2`, `1.x`, `*`) that must all hold,
 * alternatives apart by `||`. undefined: not one.
 */
export function parseRange(text: string): Range | undefined {
  const alternatives = text.split("||").map((part) => parseComparators(part.trim()));
  if (alternatives.includes(undefined)) return undefined;
  return (version) => alternatives.some((holds) => holds?.(version));
}

function parseComparators(text: string): Range | undefined {
  const words = text.replaceAll(/([<>=^~])\s+/g, "$1").split(/\s+/);
  const tests = words.map((word) => parseComparator(word));
  if (tests.includes(undefined)) return undefined;
  return (version) => tests.every((holds) => holds?.(version));
}

const comparatorText =
  /^(>=|<=|>|<|=|\^|~)?v?(\d{1,9}|[xX*])(?:\.(\d{1,9}|[xX*]))?(?:\.(\d{1,9}|[xX*]))?(?:-([0-9A-Za-z.-]+))?$/;

function parseComparator(word: string): Range | undefined {
  const match = comparatorText.exec(word);
  if (match === null) return undefined;
  const [, operator = "", ...rest] = match;
  const given = rest.slice(0, 3).map((part) => (part === undefined || !/^\d+$/.test(part) ? undefined : Number(part)));
  const lowest: Version = { numbers: [given[0] ?? 0, given[1] ?? 0, given[2] ?? 0], pre: rest[3]?.split(".") ?? [] };
  const above = firstAbove(given, operator);
  const atLeast: Range = (version) => compareVersions(version, lowest) >= 0;
  const below: Range = (version) => above === undefined || compareNumbers(version, above) < 0;
  switch (operator) {
    case ">=":
      return atLeast;
    case "<":
      return (version) => compareVersions(version, lowest) < 0;
    case ">":
      return given.includes(undefined)
        ? (version) => !below(version)
        : (version) => compareVersions(version, lowest) > 0;
    case "<=":
      return given.includes(undefined) ? below : (version) => compareVersions(version, lowest) <= 0;
    default:
      return (version) => atLeast(version) && below(version);
  }
}

/** The first version that is too new for `^`, `~`, `=` and partial versions; undefined: none is. */
function firstAbove(given: readonly (number | undefined)[], operator: string): Version["numbers"] | undefined {
  const [major, minor, patch] = given;
  if (major === undefined) return undefined;
  if (minor === undefined) return [major + 1, 0, 0];
  if (operator === "^") {
    if (major > 0) return [major + 1, 0, 0];
    return minor > 0 || patch === undefined ? [0, minor + 1, 0] : [0, 0, patch + 1];
  }
  return patch === undefined || operator === "~" ? [major, minor + 1, 0] : [major, minor, patch + 1];
}

function compareNumbers({ numbers }: Version, others: Version["numbers"]): number {
  for (const [index, number] of numbers.entries()) {
    const difference = number - (others[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Negative, 0 or positive, by semver.org's precedence. */
export function compareVersions(a: Version, b: Version): number {
  return compareNumbers(a, b.numbers) || comparePre(a.pre, b.pre);
}

function comparePre(a: readonly string[], b: readonly string[]): number {
  if (a.length === 0 || b.length === 0) return b.length - a.length;
  for (const [index, word] of a.entries()) {
    const other = b[index];
    if (other === undefined) return 1;
    if (word === other) continue;
    const [left, right] = [word, other].map((text) => (/^\d+$/.test(text) ? Number(text) : undefined));
    if (left !== undefined && right !== undefined) return left - right;
    if (left !== undefined || right !== undefined) return left === undefined ? 1 : -1;
    return word < other ? -1 : 1;
  }
  return a.length - b.length;
}
