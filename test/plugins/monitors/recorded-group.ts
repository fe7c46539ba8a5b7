import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

const fixtures = resolve(import.meta.dirname, "../../fixtures/cgroups");

/** Files of a container's groups as a kernel had them, and what containerd 1.6.20's own code made of them. */
interface Recording {
  readonly files: Readonly<Record<string, string>>;
  /** Prometheus text of container `box` in namespace `ns`. */
  readonly text: string;
}

/** Lays a recorded tree of groups out below a folder; gives the metrics that belong to it. */
export async function layOut(name: string, folder: string): Promise<string> {
  const { files, text } = JSON.parse(await readFile(join(fixtures, `${name}.json`), "utf8")) as Recording;
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  return text;
}

/** Samples of Prometheus text by name and labels, and its comments; the order does not count. */
export function samplesOf(text: string): Record<string, number | string> {
  const lines = text.split("\n").filter((line) => line !== "");
  return Object.fromEntries(
    lines.map((line): [string, number | string] => {
      if (line.startsWith("#")) return [line, ""];
      const end = line.lastIndexOf(" ");
      return [line.slice(0, end), Number(line.slice(end + 1))];
    }),
  );
}
