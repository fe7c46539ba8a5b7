import type { HeaderField } from "./header-field.ts";

/** The table a peer builds up with its header blocks (RFC 7541 section 2.3.2): a ring, newest first. */
export class DynamicTable {
  #ring: (HeaderField | undefined)[] = Array.from({ length: 16 });
  #newest = 0;
  #count = 0;
  #bytes = 0;
  #limitBytes: number;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get count(): number {
    return this.#count;
  }

  /** The field at `index`, 0 being the newest. */
  at(index: number): HeaderField | undefined {
    if (index >= this.#count) return undefined;
    return this.#ring[(this.#newest + index) & (this.#ring.length - 1)];
  }

  /** Adds a field, evicting old ones; one over the limit empties the table. */
  insert(field: HeaderField): void {
    this.#evict(this.#limitBytes - field.sizeBytes);
    if (field.sizeBytes > this.#limitBytes) return;
    if (this.#count === this.#ring.length) this.#grow();
    this.#newest = (this.#newest - 1) & (this.#ring.length - 1);
    this.#ring[this.#newest] = field;
    this.#count++;
    this.#bytes += field.sizeBytes;
  }

  /** A size update: old fields go until the rest fits. */
  resize(limitBytes: number): void {
    this.#limitBytes = limitBytes;
    this.#evict(limitBytes);
  }

  #evict(untilBytes: number): void {
    while (this.#count > 0 && this.#bytes > untilBytes) {
      const oldest = (this.#newest + this.#count - 1) & (this.#ring.length - 1);
      this.#bytes -= this.#ring[oldest]?.sizeBytes ?? 0;
      this.#ring[oldest] = undefined;
      this.#count--;
    }
  }

  #grow(): void {
    const fields = Array.from({ length: this.#count }, (_, index) => this.at(index));
    const more: undefined[] = Array.from({ length: this.#count });
    this.#ring = [...fields, ...more];
    this.#newest = 0;
  }
}
