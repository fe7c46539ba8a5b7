import type { Node } from "./nodes.ts";

/** What an object keeps. */
export interface Links {
  /** All of it. */
  readonly links: readonly Node[];
  /** What it keeps for a flat lease, too: a snapshot's parent. */
  readonly flat: readonly Node[];
}

const none: Links = { links: [], flat: [] };

/**
 * The objects of a namespace with what keeps what. Pure: filled by a scan, then asked for what nothing keeps
 * (containerd gc/gc.go and metadata/gc.go).
 */
export class Graph {
  readonly #objects = new Map<Node, Links>();
  readonly #roots: Node[] = [];
  readonly #flatRoots: Node[] = [];

  /** An object that is collected unless something keeps it. */
  add(node: Node, links: Links = none): void {
    this.#objects.set(node, links);
  }

  /** Kept whatever else; may be an object or not. */
  addRoot(node: Node): void {
    this.#roots.push(node);
  }

  /** Kept, but not what its labels refer to. */
  addFlatRoot(node: Node): void {
    this.#flatRoots.push(node);
  }

  get size(): number {
    return this.#objects.size;
  }

  /**
   * Objects that nothing keeps, those that refer to others before what they refer to: whoever removes them one by one
   * leaves at any time only objects with all they refer to.
   */
  unreachable(): Node[] {
    const live = this.#live();
    const isDead = (node: Node): boolean => this.#objects.has(node) && !live.has(node);
    return this.#referrersFirst([...this.#objects.keys()].filter(isDead), isDead);
  }

  #live(): Set<Node> {
    const full = this.#reach(this.#roots, ({ links }) => links);
    const flat = this.#reach(this.#flatRoots, (links) => links.flat);
    for (const node of flat) full.add(node);
    return full;
  }

  #reach(from: readonly Node[], next: (links: Links) => readonly Node[]): Set<Node> {
    const seen = new Set<Node>(from);
    const waiting = [...seen];
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      for (const target of next(this.#objects.get(node) ?? none)) {
        if (seen.has(target)) continue;
        seen.add(target);
        waiting.push(target);
      }
    }
    return seen;
  }

  /** Depth-first, each node noted when all it refers to has been; then backwards. */
  #referrersFirst(nodes: readonly Node[], isWanted: (node: Node) => boolean): Node[] {
    const seen = new Set<Node>();
    const done: Node[] = [];
    for (const start of nodes) {
      if (seen.has(start)) continue;
      seen.add(start);
      const path = [{ node: start, next: 0 }];
      for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
        const target = this.#objects.get(top.node)?.links[top.next++];
        if (target === undefined) {
          done.push(top.node);
          path.pop();
        } else if (isWanted(target) && !seen.has(target)) {
          seen.add(target);
          path.push({ node: target, next: 0 });
        }
      }
    }
    return done.reverse();
  }
}
