import { tarOf, type MadeEntry } from "./tar-builder.ts";

const names = ["a", "b", "c", "a/a", "a/b", "b/a", "a/b/c", "c/a/b", "/a", "../b", "a/../c", "c/c/c/c"];
const targets = ["a", "b", "c", "/a", "/a/b", "..", "../..", "a/b", "../b", ".", "/", "c/../a", "nowhere/x"];
const marks = [".wh.a", ".wh.b", "a/.wh.b", "b/.wh.a", "a/b/.wh.c"];
/** First of all only: later ones have stock remove what the layer itself has written. */
const firstMarks = [...marks, "a/.wh..wh..opq", ".wh..wh..opq", "c/.wh..wh..opq"];

/** A layer of few names and all kinds of entries, so that they get into each other's way. */
export function randomLayer(next: (below: number) => number): Buffer {
  const pick = (from: readonly string[]): string => from[next(from.length)] ?? "";
  const entries = Array.from({ length: 1 + next(8) }, (_, index): MadeEntry => {
    const name = pick(names);
    const common = { uid: next(3), gid: next(3), mtime: 1_000_000_000 + next(1000) };
    switch (next(8)) {
      case 0:
      case 1:
        return { ...common, name: `${name}/`, type: "5", mode: 0o700 + next(64) };
      case 2:
        return { ...common, name, type: "2", link: pick(targets) };
      case 3:
        return { ...common, name, type: "1", link: pick([...names, ...targets]), mode: 0o640 };
      case 4:
        return { ...common, name, type: "6", mode: 0o600 };
      case 5:
        return { ...common, name: pick(index === 0 ? firstMarks : marks) };
      default:
        return { ...common, name, data: `content ${index}`, mode: 0o600 + next(64) };
    }
  });
  return tarOf(entries);
}
