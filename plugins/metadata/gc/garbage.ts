/** What services tell the collection of garbage, and ask of it. */
export interface Garbage {
  /** Something was deleted that shows only in what a lease lists. */
  deleted(): void;
  /** Collects soon and waits for it. Throws unknown when that fails. */
  collect(signal: AbortSignal): Promise<void>;
}

/** Without a scheduler nothing is collected, and nobody waits. */
export const noGarbage: Garbage = { deleted: () => {}, collect: () => Promise.resolve() };
