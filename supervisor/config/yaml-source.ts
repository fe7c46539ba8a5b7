import type { Document, Node, Pair } from "yaml";
import { plainJson } from "./plain-json.ts";
import { type KeyPath, type Position, positionAt, type Source, SourceError, wholeFile } from "./source.ts";

/** Aliases that one file's anchors may be repeated by (a small file must not become a large value). */
const aliasLimit = 100;

/** Brackets that may be open at once; the parser is recursive. */
const bracketLimit = 200;

/** Parses YAML 1.2. The parser is loaded here, at the first file that needs it. Throws SourceError. */
export async function parseYaml(file: string, text: string): Promise<Source> {
  refuseDeepBrackets(text);
  const { default: yaml } = await import("yaml");
  const document = readDocument(text, (source) =>
    yaml.parseAllDocuments(source, { prettyErrors: false, uniqueKeys: false }),
  );
  refuseDuplicates(document, text, yaml);
  const locate = (path: KeyPath): Position => locateIn(document, text, path, yaml);
  return { file, format: "yaml", value: plainJson(toValue(document), locate), locate };
}

function readDocument(text: string, parse: (text: string) => unknown): Document.Parsed {
  const documents = attempt(() => parse(text)) as Document.Parsed[];
  const [document] = documents;
  // An empty file is an empty map.
  if (document === undefined) return { contents: null, errors: [], toJS: () => null } as unknown as Document.Parsed;
  const [error] = document.errors;
  if (error !== undefined) throw new SourceError(describe(error.message), positionAt(text, error.pos[0]));
  if (documents.length > 1) {
    const position = positionAt(text, documents[1]?.range[0] ?? 0);
    throw new SourceError("more than one YAML document", position, "keep what stands before the second ---");
  }
  return document;
}

function toValue(document: Document.Parsed): unknown {
  return attempt(() => document.toJS({ maxAliasCount: aliasLimit }) as unknown);
}

/** Parsing must end with an error of ours, whatever the text. */
function attempt<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof SourceError) throw error;
    throw new SourceError(describe(error instanceof Error ? error.message : String(error)), wholeFile, "", {
      cause: error,
    });
  }
}

/** The parser's own check compares every key with every other: minutes for a large hostile file. */
function refuseDuplicates(document: Document.Parsed, text: string, yaml: Yaml): void {
  const check = (items: readonly Pair[]): void => {
    const seen = new Set<unknown>();
    for (const { key } of items) {
      if (!yaml.isScalar(key)) continue;
      const name = String(key.value);
      if (seen.has(name)) {
        throw new SourceError(
          `the key "${name}" stands twice in one map`,
          positionAt(text, key.range?.[0] ?? 0),
          "keep one",
        );
      }
      seen.add(name);
    }
  };
  attempt(() => yaml.visit(document, { Map: (_, map) => check(map.items) }));
}

function refuseDeepBrackets(text: string): void {
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 0x5b || code === 0x7b) depth++;
    else if (code === 0x5d || code === 0x7d) depth--;
    if (depth > bracketLimit)
      throw new SourceError(`nested deeper than ${bracketLimit} levels`, positionAt(text, index));
  }
}

function describe(message: string): string {
  if (message.includes("call stack")) return "nested too deeply";
  return `not valid YAML: ${message.split("\n", 1)[0] ?? message}`;
}

type Yaml = typeof import("yaml");

/** Where the last key of `path` that exists stands. */
function locateIn(document: Document.Parsed, text: string, path: KeyPath, yaml: Yaml): Position {
  let offset: number | undefined;
  let node: unknown = document.contents;
  for (const key of path) {
    if (yaml.isAlias(node)) node = node.resolve(document);
    const next = yaml.isMap(node)
      ? mapItem(node.items, key, yaml)
      : yaml.isSeq(node)
        ? seqItem(node.items, key)
        : undefined;
    if (next === undefined) break;
    [offset, node] = [next.offset ?? offset, next.node];
  }
  return offset === undefined ? wholeFile : positionAt(text, offset);
}

function mapItem(items: readonly Pair[], key: string, yaml: Yaml): Found | undefined {
  const pair = items.find((item) => yaml.isScalar(item.key) && String(item.key.value) === key);
  return pair && { offset: (pair.key as Node).range?.[0], node: pair.value };
}

function seqItem(items: readonly unknown[], key: string): Found | undefined {
  const item = items[Number(key)] as Node | undefined;
  return item && { offset: item.range?.[0], node: item };
}

interface Found {
  readonly offset: number | undefined;
  readonly node: unknown;
}
