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
  /** What each keeps because that says so. */
  readonly #kept = new Map<Node, Node[]>();

  /** An object that is collected unless something keeps it; once for each. */
  add(node: Node, links: Links = none): void {
    this.#numbers.set(node, this.#nodes.length);
    this.#nodes.push(node);
    this.#links.push(links);
  }

  /** `kept` is kept by `keeper`, which may be an object or not. */
  addKeeper(kept: Node, keeper: Node): void {
    const list = this.#kept.get(keeper);
    if (list === undefined) this.#kept.set(keeper, [kept]);
    else list.push(kept);
  }

  /** What is kept by a node because it says so. */
  keptBy(keeper: Node): readonly Node[] {
    return this.#kept.get(keeper) ?? [];
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
    await this.#reach(this.#roots, (number) => this.#linksOf(number), full, pause);
    const flat = new Uint8Array(this.#nodes.length);
    await this.#reach(this.#flatRoots, (number) => this.#links[number]?.flat ?? [], flat, pause);
    return this.#referrersFirst((number) => full[number] === 0 && flat[number] === 0, pause);
  }

  /** All that an object keeps. */
  #linksOf(number: number): readonly Node[] {
    const { links } = this.#links[number] ?? none;
    const kept = this.#kept.size === 0 ? [] : this.keptBy(this.#nodes[number] ?? "");
    return kept.length === 0 ? links : [...links, ...kept];
  }

  /** Marks what is reached with ones. */
  async #reach(
    from: readonly Node[],
    next: (number: number) => readonly Node[],
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
      next(number).forEach(visit);
      if (++steps % stride === 0) await pause();
    }
  }

  /**
   * Depth-first, each object noted when all it refers to has been; then backwards. Who is kept by its own word leaves
   * nothing behind that refers to it.
   */
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
