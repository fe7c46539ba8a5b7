import { typeFlags } from "./header.ts";
import type { PaxRecords } from "./pax-records.ts";

/** What stands before an entry because its own header has no room for it. */
export interface LongTexts {
  pax?: PaxRecords;
  name?: string;
  link?: string;
}

/** GNU's entries that hold the name or link target of the next. */
export function isLinkOrName(type: string): boolean {
  return type === typeFlags.gnuLongName || type === typeFlags.gnuLongLink;
}

/** The text of one, up to its NUL. */
export function longTextOf(data: Buffer): string {
  const end = data.indexOf(0);
  return data.toString("latin1", 0, end < 0 ? data.length : end);
}
