import { statfsSync } from "node:fs";
import { HostError } from "#proto/wire/errors.ts";

/** Bytes and entries written between two looks at the disk. */
const bytesPerLook = 16 * 1024 * 1024;
const entriesPerLook = 1000;

/** Ends an apply before it fills the disk. */
export class DiskGuard {
  readonly #root: string;
  readonly #keepFreeBytes: number;
  #bytes = bytesPerLook;
  #entries = entriesPerLook;

  constructor(root: string, keepFreeBytes: number) {
    this.#root = root;
    this.#keepFreeBytes = keepFreeBytes;
  }

  /** @throws resource-exhausted. */
  beforeWrite(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes >= bytesPerLook) this.#look();
  }

  /** @throws resource-exhausted. */
  beforeEntry(): void {
    if (++this.#entries >= entriesPerLook) this.#look();
  }

  #look(): void {
    this.#bytes = 0;
    this.#entries = 0;
    const { bavail, blocks, bsize } = statfsSync(this.#root);
    // On a small disk a share of it: else nothing could be unpacked there.
    const keep = Math.min(this.#keepFreeBytes, (blocks * bsize) / 100);
    if (bavail * bsize >= keep || blocks === 0) return;
    throw new HostError(
      "resource-exhausted",
      `unpack into ${this.#root}: ${Math.round((bavail * bsize) / 1024)} KiB are free there; free some space, or ` +
        "lower keep_free_bytes of the walking differ, and try again",
    );
  }
}
