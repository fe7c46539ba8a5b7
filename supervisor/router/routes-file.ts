import { readFileSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RouteTable } from "./route-table.ts";

/** The last table on disk, for a router that starts while control is away. */
export class RoutesFile {
  readonly #path: string;
  #next: RouteTable | undefined;
  #writing = false;

  constructor(stateFolder: string) {
    this.#path = join(stateFolder, "routes");
  }

  /** The kept table; undefined when there is none that can be read. */
  read(): RouteTable | undefined {
    try {
      const table = JSON.parse(readFileSync(this.#path, "utf8")) as RouteTable;
      return typeof table.epoch === "number" && typeof table.packages === "object" ? table : undefined;
    } catch {
      // None was kept, or a crash left half of one: control will send a table.
      return undefined;
    }
  }

  /** Keeps `table`, in the background; of tables that come quickly only the last is written. */
  write(table: RouteTable): void {
    this.#next = table;
    // Failures are reported by #drain itself.
    if (!this.#writing) void this.#drain();
  }

  async #drain(): Promise<void> {
    this.#writing = true;
    while (this.#next !== undefined) {
      const table = this.#next;
      this.#next = undefined;
      try {
        await writeFile(`${this.#path}.new`, JSON.stringify(table), { mode: 0o600 });
        await rename(`${this.#path}.new`, this.#path);
      } catch (error) {
        process.stderr.write(`router: cannot keep the route table in ${this.#path}: ${String(error)}\n`);
      }
    }
    this.#writing = false;
  }
}
