import { HostError } from "#proto/wire/errors.ts";
import type { Change } from "../../shared/database/transaction.ts";
import type { Node } from "./nodes.ts";
import { keptBy } from "./records.ts";

/** Nodes remembered in one collection, at most; a collection that meets more gives up, and is made again later. */
const nodeLimit = 500_000;

/**
 * What transactions have kept since a collection began: new objects, and what new or changed ones refer to. A
 * collection looks at it inside each transaction that removes.
 */
export class ChangeLog {
  #kept: Map<string, Set<Node>> | undefined;
  #size = 0;

  /** Begins to listen, forgetting what was. */
  begin(): void {
    this.#kept = new Map();
    this.#size = 0;
  }

  end(): void {
    this.#kept = undefined;
  }

  /** For each transaction, in their order. */
  hear(changes: Iterable<Change>): void {
    if (this.#kept === undefined) return;
    for (const change of changes) {
      const kept = keptBy(change);
      if (kept !== undefined) this.#note(this.#kept, kept.namespace, kept.nodes);
    }
  }

  /** What has been kept in a namespace since it was last taken. Throws resource-exhausted when that was too much. */
  take(namespace: string): ReadonlySet<Node> {
    if (this.#size > nodeLimit) {
      throw new HostError("resource-exhausted", `collect garbage: over ${nodeLimit} objects have changed meanwhile`);
    }
    const nodes = this.#kept?.get(namespace) ?? new Set();
    this.#kept?.delete(namespace);
    return nodes;
  }

  #note(kept: Map<string, Set<Node>>, namespace: string, nodes: readonly Node[]): void {
    if (this.#size > nodeLimit) return;
    let noted = kept.get(namespace);
    if (noted === undefined) kept.set(namespace, (noted = new Set()));
    for (const node of nodes) noted.add(node);
    this.#size += nodes.length;
  }
}
