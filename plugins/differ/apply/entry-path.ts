/**
 * The parts of an entry's name below the root: `.` and empty parts mean nothing, `..` goes up and never above the
 * root, absolute names begin at the root too. None is left: the name means the root itself.
 */
export function entryParts(name: string): string[] {
  const parts: string[] = [];
  for (const part of name.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts;
}
