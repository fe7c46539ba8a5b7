/** In what the databases of two packages differ, beside their tables. */
export interface DatabaseKind {
  /** What is written, as errors say it: `write metadata: …`, `the metadata database …`. */
  readonly subject: string;
  /** Its name in its folder. */
  readonly fileName: string;
  /** The format this code writes. To be raised when older code could no longer read the database. */
  readonly formatVersion: number;
  /** The config key that limits its size, as errors name it; undefined: none does. */
  readonly limitKey?: string;
}
