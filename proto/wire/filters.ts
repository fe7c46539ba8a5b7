import { createRequire } from "node:module";
import { classedError } from "./errors.ts";
import { FilterSyntaxError, parseFilter, type FilterSelector } from "./filter-parser.ts";

/** What a filter sees of an object: a field's value, and whether the object has it. */
export type FilterAdaptor = (path: readonly string[]) => { readonly value: string; readonly present: boolean };

/** Whether an object passes. */
export type Filter = (adaptor: FilterAdaptor) => boolean;

/** The filter that lets everything pass, whatever it is written as. */
export const passAll: Filter = () => true;

const absent = { value: "", present: false } as const;

/**
 * Compiles containerd's filter language (filters/filter.go): any of the strings must hold; none at all, or an empty
 * one, lets everything pass. Throws invalid-argument `filters: parse error: …: invalid argument`.
 */
export function compileFilters(filters: readonly string[]): Filter {
  const alternatives = filters.map(compileFilter);
  if (alternatives.length === 0 || alternatives.includes(passAll)) return passAll;
  return (adaptor) => alternatives.some((matches) => matches(adaptor));
}

/** Makes an adaptor's answer from a value that may be missing. */
export function filterField(value: string | undefined): { readonly value: string; readonly present: boolean } {
  return value === undefined ? absent : { value, present: true };
}

/**
 * A label in an adaptor's path: `labels.a.b` is the label "a.b".
 * `parts` are those after `labels`.
 */
export function filterLabel(
  labels: Readonly<Record<string, string>>,
  parts: readonly string[],
): { readonly value: string; readonly present: boolean } {
  const key = parts.join(".");
  return Object.hasOwn(labels, key) ? filterField(labels[key]) : absent;
}

function compileFilter(filter: string): Filter {
  if (filter === "") return passAll;
  const selectors = parseOrThrow(filter).map(compileSelector);
  return (adaptor) => selectors.every((matches) => matches(adaptor));
}

function parseOrThrow(filter: string): readonly FilterSelector[] {
  try {
    return parseFilter(filter);
  } catch (error) {
    if (!(error instanceof FilterSyntaxError)) throw error;
    throw classedError("invalid-argument", `filters: parse error: ${error.message}`, { cause: error });
  }
}

function compileSelector({ path, operator, value }: FilterSelector): Filter {
  switch (operator) {
    case "present":
      return (adaptor) => adaptor(path).present;
    case "==":
      return (adaptor) => {
        const field = adaptor(path);
        return field.present && field.value === value;
      };
    case "!=":
      return (adaptor) => adaptor(path).value !== value;
    case "~=": {
      const matches = compileExpression(value);
      return (adaptor) => matches(adaptor(path).value);
    }
  }
}

/** Go's regular expressions (RE2 syntax, linear time), unanchored; one that does not compile matches nothing. */
function compileExpression(expression: string): (text: string) => boolean {
  // Loading the engine takes milliseconds that only a `~=` should pay.
  const { RE2JS } = createRequire(import.meta.url)("re2js") as typeof import("re2js");
  try {
    const compiled = RE2JS.compile(expression);
    return (text) => compiled.matcher(text).find();
  } catch {
    return () => false;
  }
}
