/** What the scanner of containerd's filter language gives; "other" is a character that starts no token. */
export type FilterTokenKind = "end" | "quoted" | "value" | "field" | "separator" | "operator" | "illegal" | "other";

export interface FilterToken {
  readonly kind: FilterTokenKind;
  /** Index into the input (UTF-16 units) where it begins. */
  readonly at: number;
  readonly text: string;
}

const space = /^[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]$/;
const fieldCharacter = /^[A-Za-z0-9_]$/;
const graphic = /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u;
const quotes = '/|"';
const operators = "=!~";
const separators = ".,";
const simpleEscapes = "abfnrtv\\";
const replacement = "\ufffd";

/** Neither character nor end: the scanner has said why in `problem`. */
const illegal = "\ud800";
const end = "";

function isValueCharacter(character: string): boolean {
  return character !== "," && !space.test(character) && graphic.test(character);
}

/**
 * Splits a filter into tokens, as containerd's filters/scanner.go does, its oddities included: the value after an
 * operator may begin with any character that is no quote, separator or operator, and the first problem met sticks.
 */
export class FilterScanner {
  readonly input: string;
  /** The first thing found wrong, in containerd's words; "" while nothing is. */
  problem = "";
  #at = 0;
  #next = 0;
  #expectsValue = false;

  constructor(input: string) {
    this.input = input;
  }

  /** Where the next character begins. */
  get next(): number {
    return this.#next;
  }

  /** The next character without taking it; "" at the end. */
  peek(): string {
    const character = this.#look();
    return character === illegal ? replacement : character;
  }

  scan(): FilterToken {
    let character = this.#take();
    while (character !== end && space.test(character)) character = this.#take();
    const at = this.#at;
    if (character === end) return { kind: "end", at: this.input.length, text: "" };
    if (character === illegal) return { kind: "illegal", at, text: "" };
    const kind = this.#scanFrom(character);
    return { kind, at, text: this.input.slice(at, this.#next) };
  }

  #scanFrom(character: string): FilterTokenKind {
    if (quotes.includes(character)) return this.#scanQuoted(character) ? "quoted" : "illegal";
    if (separators.includes(character)) {
      this.#expectsValue = false;
      return "separator";
    }
    if (operators.includes(character)) {
      this.#takeWhile((next) => operators.includes(next));
      this.#expectsValue = true;
      return "operator";
    }
    if (this.#expectsValue) {
      this.#takeWhile(isValueCharacter);
      this.#expectsValue = false;
      return "value";
    }
    if (!fieldCharacter.test(character)) return "other";
    this.#takeWhile((next) => fieldCharacter.test(next));
    return "field";
  }

  #look(): string {
    const at = this.#at;
    const next = this.#next;
    const character = this.#take();
    this.#at = at;
    this.#next = next;
    return character;
  }

  #take(): string {
    this.#at = this.#next;
    const code = this.input.codePointAt(this.#at);
    if (code === undefined) return end;
    const character = String.fromCodePoint(code);
    this.#next += character.length;
    if (character === replacement) return this.#fail("rune error");
    if (code === 0) return this.#fail("unexpected null");
    return character;
  }

  #takeWhile(wanted: (character: string) => boolean): void {
    for (let next = this.#look(); next !== end && next !== illegal && wanted(next); next = this.#look()) this.#take();
  }

  #scanQuoted(quote: string): boolean {
    let legal = true;
    let character = this.#take();
    while (character !== quote) {
      if (character === "\n" || character === end || character === illegal) {
        this.#fail("quoted literal not terminated");
        return false;
      }
      if (character === "\\") {
        const escape = this.#scanEscape(quote);
        legal &&= escape.legal;
        character = escape.next;
      } else {
        character = this.#take();
      }
    }
    return legal;
  }

  #scanEscape(quote: string): { next: string; legal: boolean } {
    const character = this.#take();
    if (character !== end && character !== illegal) {
      if (simpleEscapes.includes(character) || character === quote) return { next: this.#take(), legal: true };
      if (/^[0-7]$/.test(character)) return this.#scanDigits(character, /^[0-7]$/, 3);
      const digits = { x: 2, u: 4, U: 8 }[character];
      if (digits !== undefined) return this.#scanDigits(this.#take(), /^[0-9A-Fa-f]$/, digits);
    }
    this.#fail("illegal escape sequence");
    return { next: character, legal: false };
  }

  #scanDigits(first: string, digit: RegExp, count: number): { next: string; legal: boolean } {
    let next = first;
    let left = count;
    for (; left > 0 && digit.test(next); left--) next = this.#take();
    if (left > 0) this.#fail("illegal numeric escape sequence");
    return { next, legal: left === 0 };
  }

  #fail(problem: string): string {
    if (this.problem === "") this.problem = problem;
    return illegal;
  }
}
