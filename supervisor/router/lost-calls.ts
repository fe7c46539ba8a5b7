import type { CallInFlight, CallsInFlight } from "./route-table.ts";

/** What a package's last generation had in flight when its connections broke: control asks for it after a crash. */
export class LostCalls {
  readonly #limit: number;
  /** Of each package only the newest generation, so that as many are kept as there are packages. */
  readonly #lost = new Map<string, CallsInFlight & { readonly generation: number }>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** A connection of `generation` broke under these calls. */
  add(packageName: string, generation: number, calls: readonly CallInFlight[]): void {
    const known = this.of(packageName, generation);
    const oldest = [...known.calls, ...calls].sort((a, b) => b.ageMs - a.ageMs).slice(0, this.#limit);
    this.#lost.set(packageName, { generation, openCalls: known.openCalls + calls.length, calls: oldest });
  }

  of(packageName: string, generation: number): CallsInFlight {
    const known = this.#lost.get(packageName);
    return known?.generation === generation ? known : { openCalls: 0, calls: [] };
  }

  /** Keeps those of packages that there still are. */
  retain(packages: { has(packageName: string): boolean }): void {
    for (const name of this.#lost.keys()) if (!packages.has(name)) this.#lost.delete(name);
  }
}
