/** Bounds of what one layer may ask for; each is a config key of the walking differ. */
export interface ApplyLimits {
  /** Bytes of one extended header, long name or sparse map. */
  readonly headerBytes: number;
  /** Bytes of an entry's name or link target. */
  readonly nameBytes: number;
  readonly entries: number;
  /** Uncompressed over compressed bytes, looked at once the first is over `ratioFromBytes`. */
  readonly ratio: number;
  readonly ratioFromBytes: number;
  /** Left free on the disk that is written to; at most a hundredth of it. */
  readonly keepFreeBytes: number;
}
