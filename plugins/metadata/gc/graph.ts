import type { Node } from "./nodes.ts";

/** What an object keeps. */
export interface Links {
  /** All of it. */
  readonly links: readonly Node[];
  /** What it keeps for a flat lease, too: a snapshot's parent. */
  readonly flat: readonly Node[];
}

const none: Links = { links: [], flat: [] };

/** Lets others run, if it is time. */
export type Pause = () => Promise<void>;

/** Objects looked at between two pauses: some tenths of a millisecond. */
const stride = 256;

/**
 * The objects of a namespace with what keeps what. Pure: filled by a scan, then asked for what nothing keeps
 * (containerd gc/gc.go and metadata/gc.go). Objects are numbered, so that each name is looked up once.
 */
export class Graph {
  readonly #numbers = new Map<Node, number>();
  readonly #nodes: Node[] = [];
  readonly #links: Links[] = [];
  readonly #roots: Node[] = [];
  readonly #flatRoots: Node[] = [];

  /** An object that is collected unless something keeps it; once for each. */
  add(node: Node, links: Links = none): void {
    this.#numbers.set(node, this.#nodes.length);
    this.#nodes.push(node);
    this.#links.push(links);
  }

  /** Kept whatever else; may be an object or not. */
  addRoot(node: Node): void {
    this.#roots.push(node);
  }

  /** Kept, but not what its labels refer to. */
  addFlatRoot(node: Node): void {
    this.#flatRoots.push(node);
  }

  /**
   * Objects that nothing keeps, those that refer to others before what they refer to: whoever removes them one by one
   * leaves at any time only objects with all they refer to. `pause` is called now and then; the graph must not change
   * meanwhile. Rejects when it does.
   */
  async unreachable(pause: Pause = () => Promise.resolve()): Promise<Node[]> {
    const full = new Uint8Array(this.#nodes.length);
    await this.#reach(this.#roots, ({ links }) => links, full, pause);
    const flat = new Uint8Array(this.#nodes.length);
    await this.#reach(this.#flatRoots, (links) => links.flat, flat, pause);
    return this.#referrersFirst((number) => full[number] === 0 && flat[number] === 0, pause);
  }

  /** Marks what is reached with ones. */
  async #reach(
    from: readonly Node[],
    next: (links: Links) => readonly Node[],
    reached: Uint8Array,
    pause: Pause,
  ): Promise<void> {
    const waiting: number[] = [];
    const visit = (node: Node): void => {
      const number = this.#numbers.get(node);
      if (number === undefined || reached[number] === 1) return;
      reached[number] = 1;
      waiting.push(number);
    };
    for (const [index, node] of from.entries()) {
      visit(node);
      if (index % stride === 0) await pause();
    }
    let steps = 0;
    for (let number = waiting.pop(); number !== undefined; number = waiting.pop()) {
      next(this.#links[number] ?? none).forEach(visit);
      if (++steps % stride === 0) await pause();
    }
  }

  /** Depth-first, each object noted when all it refers to has been; then backwards. */
  async #referrersFirst(isWanted: (number: number) => boolean, pause: Pause): Promise<Node[]> {
    const seen = new Uint8Array(this.#nodes.length);
    const done: Node[] = [];
    const path: { readonly number: number; next: number }[] = [];
    const enter = (number: number | undefined): void => {
      if (number === undefined || seen[number] === 1 || !isWanted(number)) return;
      seen[number] = 1;
      path.push({ number, next: 0 });
    };
    let steps = 0;
    for (const start of this.#nodes.keys()) {
      enter(start);
      if (++steps % stride === 0) await pause();
      for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
        const target = this.#links[top.number]?.links[top.next++];
        if (target !== undefined) enter(this.#numbers.get(target));
        else {
          done.push(this.#nodes[top.number] ?? "");
          path.pop();
        }
      }
    }
    return done.reverse();
  }
}
