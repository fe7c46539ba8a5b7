import { paint, terminalColumns, type Colour } from "./terminal.ts";

/** A cell: its text, and how a terminal shows it. */
export type Cell = string | { readonly text: string; readonly colour?: Colour | undefined };

const gap = "   ";

/**
 * Rows under their headings, columns aligned. The last column is cut at the terminal's edge; elsewhere nothing
 * is cut. Ends with a newline.
 */
export function formatTable(
  headings: readonly string[],
  rows: readonly (readonly Cell[])[],
  columns: number | undefined = terminalColumns(),
): string {
  const lines = [headings.map((text) => ({ text, colour: "bold" as const })), ...rows.map((row) => row.map(asCell))];
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => line[column]?.text.length ?? 0)));
  return lines.map((line) => `${formatLine(line, widths, columns)}\n`).join("");
}

function formatLine(
  line: readonly Exclude<Cell, string>[],
  widths: readonly number[],
  columns: number | undefined,
): string {
  const last = line.length - 1;
  const before = widths.slice(0, last).reduce((sum, width) => sum + width + gap.length, 0);
  const cells = line.map(({ text, colour }, column) => {
    if (column < last) return paint(colour, text) + " ".repeat((widths[column] ?? 0) - text.length);
    return paint(colour, columns === undefined ? text : cut(text, Math.max(8, columns - before)));
  });
  return cells.join(gap).trimEnd();
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

function asCell(cell: Cell): Exclude<Cell, string> {
  return typeof cell === "string" ? { text: cell.replace(/\s*\n\s*/g, " ") } : cell;
}
