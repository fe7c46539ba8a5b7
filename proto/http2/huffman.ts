import { latin1Of } from "./latin1.ts";

/**
 * Code lengths in bits of the 256 byte values and the end mark, RFC 7541 appendix B, as letters: "a" is 5, "z" 30.
 * The code is canonical: lengths alone determine it.
 */
const codeLengths =
  "isxxxxxxxtzxxzxxxxxxxxzxxxxxxxxxbffhibdgffdgdbbbaaabbbbbbbcdkbhfibccccccccccccccccccccccdcdioijb" +
  "kabababbbaccbbbabcbaabccccckgjixprpprrrsrssssststtrstssssqrsrsstrqprrssqsrrtqrssqqrqsrssprrrsrrs" +
  "vvporsruvvvwwvtuoqvwwvwtqqvvxwwwptpqrqqsrruuttvsvwvvwwwwwxwwwwwvz";
const endMark = 256;
const noSymbol = 0xffff;

/**
 * One row a node of the code tree, sixteen cells a row, one for each next four bits. A cell holds the node reached
 * (low 9 bits), whether a message may end there (bit 9), whether the bits are invalid (bit 10), and the symbol
 * completed on the way (from bit 12; at most one, since codes have five bits or more).
 */
interface NibbleTable {
  readonly cells: Uint32Array;
}

const mayEnd = 1 << 9;
const invalid = 1 << 10;
const symbolShift = 12;

let table: NibbleTable | undefined;
let scratch = Buffer.allocUnsafeSlow(1024);

/** The text that Huffman-coded `bytes[start..end)` stands for, as latin1; undefined when the code is broken. */
export function decodeHuffman(bytes: Buffer, start: number, end: number): string | undefined {
  const { cells } = (table ??= buildTable());
  // Five bits a symbol at least: eight coded bytes are at most 12.8 symbols.
  const most = ((end - start) * 8) / 5;
  if (scratch.length < most) scratch = Buffer.allocUnsafeSlow(Math.ceil(most));
  let node = 0;
  let length = 0;
  let cell = mayEnd;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    for (let shift = 4; shift >= 0; shift -= 4) {
      cell = cells[(node << 4) | ((byte >> shift) & 15)] ?? invalid;
      if ((cell & invalid) !== 0) return undefined;
      node = cell & 0x1ff;
      const symbol = cell >>> symbolShift;
      if (symbol !== noSymbol) scratch[length++] = symbol;
    }
  }
  return (cell & mayEnd) === 0 ? undefined : latin1Of(scratch, 0, length);
}

/** Tree of the code: children of node n at 2n and 2n+1; negative: a leaf, symbol -(value) - 1. */
function buildTree(): Int32Array {
  const symbols = Array.from({ length: 257 }, (_, symbol) => symbol).sort(
    (left, right) => lengthOf(left) - lengthOf(right) || left - right,
  );
  const tree = new Int32Array(2 * 257);
  let nodes = 1;
  let code = 0;
  let previous = lengthOf(symbols[0] ?? 0);
  for (const [index, symbol] of symbols.entries()) {
    const length = lengthOf(symbol);
    if (index > 0) code = (code + 1) << (length - previous);
    previous = length;
    let node = 0;
    for (let bit = length - 1; bit > 0; bit--) {
      const edge = 2 * node + ((code >> bit) & 1);
      if (tree[edge] === 0) tree[edge] = nodes++;
      node = tree[edge] ?? 0;
    }
    tree[2 * node + (code & 1)] = -symbol - 1;
  }
  return tree;
}

function lengthOf(symbol: number): number {
  return codeLengths.charCodeAt(symbol) - 97 + 5;
}

function buildTable(): NibbleTable {
  const tree = buildTree();
  const nodes = tree.length / 2;
  const cells = new Uint32Array(nodes * 16);
  const padding = paddingNodes(tree);
  for (let node = 0; node < nodes; node++) {
    for (let nibble = 0; nibble < 16; nibble++) cells[(node << 4) | nibble] = walk(tree, padding, node, nibble);
  }
  return { cells };
}

function walk(tree: Int32Array, padding: ReadonlySet<number>, from: number, nibble: number): number {
  let node = from;
  let symbol = noSymbol;
  for (let bit = 3; bit >= 0; bit--) {
    const next = tree[2 * node + ((nibble >> bit) & 1)] ?? 0;
    if (next >= 0) {
      node = next;
      continue;
    }
    symbol = -next - 1;
    if (symbol === endMark) return invalid;
    node = 0;
  }
  return node | (padding.has(node) ? mayEnd : 0) | (symbol << symbolShift);
}

/** Nodes reached from the root by fewer than eight one-bits: all that may pad the last byte. */
function paddingNodes(tree: Int32Array): ReadonlySet<number> {
  const found = new Set([0]);
  let node = 0;
  for (let bits = 1; bits < 8; bits++) {
    node = tree[2 * node + 1] ?? 0;
    found.add(node);
  }
  return found;
}
