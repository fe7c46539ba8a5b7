import { styleText } from "node:util";

/** Colours a person can tell states apart by. */
export type Colour = "red" | "green" | "yellow" | "dim" | "bold";

/** Colours only for a terminal, and never against NO_COLOR (no-color.org). */
export function paint(colour: Colour | undefined, text: string): string {
  const wanted = process.stdout.isTTY && !process.env["NO_COLOR"] && process.env["TERM"] !== "dumb";
  return colour !== undefined && wanted ? styleText(colour, text, { validateStream: false }) : text;
}

/** Columns of the terminal; undefined when output goes elsewhere and must not be cut. */
export function terminalColumns(): number | undefined {
  return process.stdout.isTTY ? process.stdout.columns : undefined;
}

/** Writes to stdout; resolves when the next piece may come. */
export async function print(data: string | Uint8Array): Promise<void> {
  if (process.stdout.write(data)) return;
  await new Promise<void>((resolve) => process.stdout.once("drain", resolve));
}

/** Prints one value for programs. */
export function printJson(value: unknown): Promise<void> {
  return print(`${JSON.stringify(value, undefined, 2)}\n`);
}
