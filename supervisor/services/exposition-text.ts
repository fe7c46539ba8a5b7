/** One sample of Prometheus text, with the family its comments put it in. */
export interface ParsedSample {
  readonly family: string;
  readonly type: string;
  readonly help: string;
  /** Name and labels, as written. */
  readonly series: string;
  /** Value, and the timestamp if there is one, as written. */
  readonly value: string;
}

const commentLine = /^#\s+(HELP|TYPE)\s+(\S+)\s?(.*)$/;
const sampleLine = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{.*\})?\s+((?:[-+]?[0-9.eE+-]+|[-+]?Inf|NaN)(?:\s+-?\d+)?)\s*$/;
const partSuffix = /^_(?:bucket|sum|count|total|created)$/;

/** Reads Prometheus text; lines that are neither samples nor their comments are left out. */
export function* parseExposition(text: string): Generator<ParsedSample> {
  let head = startFamily("");
  for (const line of text.split("\n")) {
    const [, keyword, named = "", rest = ""] = commentLine.exec(line) ?? [];
    if (keyword !== undefined) {
      if (named !== head.family) head = startFamily(named);
      head = keyword === "TYPE" ? { ...head, type: rest } : { ...head, help: rest };
      continue;
    }
    const [, name, labels = "", value = ""] = sampleLine.exec(line) ?? [];
    if (name === undefined) continue;
    if (!belongsTo(name, head.family)) head = startFamily(name);
    yield { ...head, series: `${name}${labels}`, value };
  }
}

function startFamily(family: string) {
  return { family, type: "untyped", help: "" };
}

/** Whether a sample's name is the family's, or one of a histogram's or summary's parts. */
function belongsTo(sample: string, family: string): boolean {
  return sample === family || (sample.startsWith(family) && partSuffix.test(sample.slice(family.length)));
}
