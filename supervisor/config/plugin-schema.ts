import { realpathSync } from "node:fs";
import { join, sep } from "node:path";
import { HostError } from "#proto/wire/errors.ts";
import type { Json, JsonObject } from "./config.ts";
import { isObject } from "./fields.ts";
import { suggest } from "./nearest.ts";
import { readText } from "./read-text.ts";

/** One thing that a schema has against a config. */
export interface SchemaProblem {
  /** Keys from the config's top. */
  readonly path: readonly string[];
  readonly message: string;
  readonly hint: string;
}

/** Checks a config that has its defaults already. */
export type SchemaCheck = (value: JsonObject) => readonly SchemaProblem[];

/**
 * Reads the JSON Schema (2020-12) of a plugin's config. Throws HostError (invalid-argument) when it is not inside the
 * package's folder, no JSON object, or refers to other files.
 */
export function readSchema(folder: string, relativePath: string): JsonObject {
  const file = join(folder, relativePath);
  const fail = (why: string, cause?: unknown): HostError =>
    new HostError("invalid-argument", `config schema ${file}: ${why}`, { cause });
  let schema: Json;
  try {
    const inside = `${realpathSync(folder)}${sep}`;
    if (!realpathSync(file).startsWith(inside)) throw fail("is outside the package's folder");
    schema = JSON.parse(readText(file)) as Json;
  } catch (error) {
    throw error instanceof HostError ? error : fail(error instanceof Error ? error.message : String(error), error);
  }
  if (!isObject(schema)) throw fail("expected a JSON object");
  const remote = findRemote(schema);
  if (remote !== undefined) throw fail(`refers to ${remote}; a schema may only refer to its own parts (#/…)`);
  return schema;
}

function findRemote(value: Json): string | undefined {
  if (Array.isArray(value)) return value.map(findRemote).find((each) => each !== undefined);
  if (!isObject(value)) return undefined;
  for (const key of ["$ref", "$dynamicRef"]) {
    const target = value[key];
    if (typeof target === "string" && !target.startsWith("#")) return target;
  }
  return Object.values(value)
    .map(findRemote)
    .find((each) => each !== undefined);
}

/** The value with the defaults of `properties`, at each level that is there. (What ajv's useDefaults does, without it.) */
export function fillDefaults(schema: Json | undefined, value: JsonObject): JsonObject {
  const properties = isObject(schema) ? schema["properties"] : undefined;
  if (!isObject(properties)) return value;
  const filled = { ...value };
  for (const [key, property] of Object.entries(properties)) {
    if (isObject(property) && property["default"] !== undefined) filled[key] ??= structuredClone(property["default"]);
    const below = filled[key];
    if (isObject(below)) filled[key] = fillDefaults(property, below);
  }
  return filled;
}

/** Compiles a schema; loads ajv. Throws HostError (invalid-argument) for what is no schema. */
export async function compileSchema(schema: JsonObject, name: string): Promise<SchemaCheck> {
  const { default: ajvModule } = await import("ajv/dist/2020.js");
  const ajv = new ajvModule.Ajv2020({ allErrors: true, strict: false, validateFormats: false, logger: false });
  try {
    const validate = ajv.compile(schema);
    return (value) =>
      validate(value) ? [] : withoutBranches(validate.errors ?? []).map((error) => toProblem(error, schema));
  } catch (error) {
    throw new HostError("invalid-argument", `config schema of ${name}: ${(error as Error).message}`, { cause: error });
  }
}

/** What a branch of `anyOf` or `oneOf` has against a value is said in one sentence, not as errors of their own. */
function withoutBranches(errors: readonly AjvError[]): readonly AjvError[] {
  const groups = errors.filter(({ keyword }) => keyword === "anyOf" || keyword === "oneOf");
  const isBranch = (error: AjvError): boolean =>
    groups.some(({ schemaPath }) => error.schemaPath.startsWith(`${schemaPath}/`));
  return errors
    .filter((error) => !isBranch(error))
    .map((error) => {
      if (!groups.includes(error)) return error;
      const branches = errors.filter(({ schemaPath }) => schemaPath.startsWith(`${error.schemaPath}/`));
      const texts = branches.map(({ keyword, message, params }) => branchText(keyword, message, params));
      return { ...error, message: `expected ${[...new Set(texts)].join(", or ")}` };
    });
}

function branchText(keyword: string, message = "another value", params: AjvError["params"]): string {
  if (keyword === "type") return String(params["type"]);
  return keyword === "pattern" ? `text like ${String(params["pattern"])}` : message;
}

interface AjvError {
  readonly schemaPath: string;
  readonly instancePath: string;
  readonly keyword: string;
  readonly message?: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** ajv's error in our words; values are not repeated, they may be secret. */
function toProblem(
  { instancePath, keyword, message = "is wrong", params }: AjvError,
  schema: JsonObject,
): SchemaProblem {
  const path = instancePath
    .split("/")
    .slice(1)
    .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
  switch (keyword) {
    case "additionalProperties":
    case "unevaluatedProperties": {
      const key = String(params["additionalProperty"] ?? params["unevaluatedProperty"]);
      return { path: [...path, key], message: `unknown key "${key}"`, hint: suggest(key, knownKeys(schema, path)) };
    }
    case "enum":
      return { path, message: `expected one of ${(params["allowedValues"] as unknown[]).join(", ")}`, hint: "" };
    case "type":
      return { path, message: `expected ${String(params["type"])}`, hint: "" };
    case "required":
      return { path, message: `the key "${String(params["missingProperty"])}" is missing`, hint: "" };
    default:
      return { path, message, hint: "" };
  }
}

function knownKeys(schema: JsonObject, path: readonly string[]): string[] {
  let node: Json | undefined = schema;
  for (const key of path) {
    const properties: Json | undefined = isObject(node) ? node["properties"] : undefined;
    node = isObject(properties) ? properties[key] : undefined;
  }
  return isObject(node) && isObject(node["properties"]) ? Object.keys(node["properties"]) : [];
}
