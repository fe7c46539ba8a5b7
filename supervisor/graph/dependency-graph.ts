/** What each node comes after. */
export type Edges = ReadonlyMap<string, ReadonlySet<string>>;

export interface Ordering {
  /** Every node, each after what it needs; inside a cycle in the given order. */
  readonly order: readonly string[];
  /** Nodes of one wave wait only for nodes of earlier ones. */
  readonly waves: readonly (readonly string[])[];
  /** Nodes that stand in a cycle, each with the shortest one's path, like `[a, b, a]`. */
  readonly cycles: ReadonlyMap<string, readonly string[]>;
}

/** Orders nodes so that each comes after what it needs; ties keep the given order. Edges to unknown nodes are ignored. */
export function orderNodes(nodes: readonly string[], after: Edges): Ordering {
  const known = new Set(nodes);
  const waveOf = new Map<string, number>();
  const order: string[] = [];
  // Depth first: what is on the way already and comes up again is in a cycle with this one, which gives no order.
  const place = (node: string): number => {
    const placed = waveOf.get(node);
    if (placed !== undefined) return placed;
    waveOf.set(node, 0);
    const needed = [...(after.get(node) ?? [])].filter((each) => known.has(each) && each !== node);
    const wave = Math.max(0, ...needed.map((each) => place(each) + 1));
    waveOf.set(node, wave);
    order.push(node);
    return wave;
  };
  for (const node of nodes) place(node);
  return { order, waves: groupWaves(order, waveOf), cycles: findCycles(nodes, after) };
}

/** Everything that `node` comes after, however indirectly; itself only if it stands in a cycle. */
export function reachableFrom(node: string, after: Edges): ReadonlySet<string> {
  const seen = new Set<string>();
  const open = [...(after.get(node) ?? [])];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    open.push(...(after.get(next) ?? []));
  }
  return seen;
}

function groupWaves(order: readonly string[], waveOf: ReadonlyMap<string, number>): string[][] {
  const waves: string[][] = [];
  for (const node of order) (waves[waveOf.get(node) ?? 0] ??= []).push(node);
  return [...waves].map((wave) => wave ?? []);
}

function findCycles(nodes: readonly string[], after: Edges): Map<string, readonly string[]> {
  const cycles = new Map<string, readonly string[]>();
  for (const node of nodes) {
    const path = reachableFrom(node, after).has(node) ? shortestCycle(node, after) : undefined;
    if (path !== undefined) cycles.set(node, path);
  }
  return cycles;
}

/** The shortest way from `node` back to itself. */
function shortestCycle(node: string, after: Edges): readonly string[] | undefined {
  const seen = new Set<string>();
  for (let paths: (readonly string[])[] = [[node]]; paths.length > 0; ) {
    const longer: (readonly string[])[] = [];
    for (const path of paths) {
      for (const next of after.get(path.at(-1) ?? node) ?? []) {
        if (next === node) return [...path, node];
        if (seen.has(next)) continue;
        seen.add(next);
        longer.push([...path, next]);
      }
    }
    paths = longer;
  }
  return undefined;
}
