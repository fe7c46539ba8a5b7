/** What the killed process is asked for. */
export type Operation =
  | { readonly method: "prepare" | "view"; readonly key: string; readonly parent: string }
  | { readonly method: "commit"; readonly key: string; readonly name: string }
  | { readonly method: "remove"; readonly key: string };

/** Each kind on each kind of ground; a prepared one holds a file with its key. */
export const operations: readonly Operation[] = [
  { method: "prepare", key: "a", parent: "" },
  { method: "commit", key: "a", name: "base" },
  { method: "prepare", key: "b", parent: "base" },
  { method: "view", key: "v", parent: "base" },
  { method: "commit", key: "b", name: "top" },
  { method: "prepare", key: "c", parent: "top" },
  { method: "remove", key: "c" },
  { method: "view", key: "w", parent: "top" },
  { method: "remove", key: "v" },
  { method: "view", key: "x", parent: "" },
  { method: "prepare", key: "d", parent: "top" },
];

/** What exists after the first operations, as `kind name on parent`, sorted. */
export function stateAfter(count: number): string[] {
  const found = new Map<string, { kind: string; parent: string }>();
  for (const operation of operations.slice(0, count)) {
    const { method, key } = operation;
    const before = found.get(key);
    if (method === "commit") {
      found.delete(key);
      found.set(operation.name, { kind: "committed", parent: before?.parent ?? "" });
    } else if (method === "remove") found.delete(key);
    else found.set(key, { kind: method === "view" ? "view" : "active", parent: operation.parent });
  }
  return [...found].map(([name, { kind, parent }]) => `${kind} ${name} on ${parent}`).sort();
}
