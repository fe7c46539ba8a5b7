import { unquoteFilterLiteral } from "./filter-quotes.ts";
import { FilterScanner, type FilterToken } from "./filter-scanner.ts";

/** One condition on one field. */
export interface FilterSelector {
  /** At least one part. */
  readonly path: readonly string[];
  readonly operator: "present" | "==" | "!=" | "~=";
  /** "" for "present". */
  readonly value: string;
}

/** What is wrong with a filter, in containerd's words: `[before >|c|< after]: why`. */
export class FilterSyntaxError extends Error {
  override readonly name = "FilterSyntaxError";

  /** `at`: index into `input` (UTF-16 units). Go cuts between bytes, so a longer character shows as its pieces. */
  constructor(input: string, at: number, why: string) {
    const bytes = Buffer.from(input);
    const cut = Buffer.byteLength(input.slice(0, at));
    const shown =
      cut < bytes.length
        ? `[${bytes.toString("utf8", 0, cut)} >|${bytes.toString("utf8", cut, cut + 1)}|< ${bytes.toString("utf8", cut + 1)}]`
        : `[${input}]`;
    super(`${shown}: ${why}`);
  }
}

/** The selectors of one filter, all of which must hold. Throws FilterSyntaxError. */
export function parseFilter(input: string): readonly FilterSelector[] {
  return new FilterParser(input).selectors();
}

class FilterParser {
  readonly #scanner: FilterScanner;

  constructor(input: string) {
    this.#scanner = new FilterScanner(input);
  }

  selectors(): readonly FilterSelector[] {
    const found = [this.#selector()];
    for (let next = this.#scanner.peek(); next !== ""; next = this.#scanner.peek()) {
      if (next !== ",") throw this.#error(this.#scanner.next, `unexpected input: ${next}`);
      this.#scanner.scan();
      found.push(this.#selector());
    }
    return found;
  }

  #selector(): FilterSelector {
    const path = [this.#field()];
    while (this.#scanner.peek() === ".") {
      this.#scanner.scan();
      path.push(this.#field());
    }
    const next = this.#scanner.peek();
    if (next === "," || next === "") return { path, operator: "present", value: "" };
    const operator = this.#operator();
    return { path, operator, value: this.#value(operator === "~=") };
  }

  #field(): string {
    const token = this.#scan();
    if (token.kind === "field") return token.text;
    if (token.kind === "quoted") return this.#unquote(token, false);
    throw this.#error(token.at, "expected field or quoted");
  }

  #operator(): "==" | "!=" | "~=" {
    const token = this.#scan();
    if (token.kind !== "operator") throw this.#error(token.at, 'expected an operator ("=="|"!="|"~=")');
    const { text } = token;
    if (text === "==" || text === "!=" || text === "~=") return text;
    throw this.#error(token.at, `unsupported operator "${text}"`);
  }

  #value(allowsOtherQuotes: boolean): string {
    const token = this.#scan();
    if (token.kind === "value") return token.text;
    if (token.kind === "quoted") return this.#unquote(token, allowsOtherQuotes);
    throw this.#error(token.at, "expected value or quoted");
  }

  #scan(): FilterToken {
    const token = this.#scanner.scan();
    if (token.kind === "illegal") throw this.#error(token.at, this.#scanner.problem);
    return token;
  }

  #unquote(token: FilterToken, allowsOtherQuotes: boolean): string {
    if (!allowsOtherQuotes && !token.text.startsWith('"')) throw this.#error(token.at, "invalid quote encountered");
    const text = unquoteFilterLiteral(token.text);
    if (text === undefined) throw this.#error(token.at, "unquoting failed: quote syntax error");
    return text;
  }

  #error(at: number, why: string): FilterSyntaxError {
    return new FilterSyntaxError(this.#scanner.input, at, why);
  }
}
