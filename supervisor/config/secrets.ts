import { isAbsolute, join } from "node:path";
import { HostError } from "#proto/wire/errors.ts";
import type { Json, JsonObject } from "./config.ts";
import { isObject } from "./fields.ts";
import { readText } from "./read-text.ts";
import { SourceError } from "./source.ts";

/** Bytes that one secret may have. */
export const secretLimitBytes = 64 * 1024;

/** What is shown in place of a secret. */
export const hiddenText = "(hidden)";

/** A value that stands for the content of a file (plugin contract, section 5). */
type Reference = { readonly fromFile: string } | { readonly fromCredential: string };

/**
 * The value with each `{fromFile: path}` and `{fromCredential: name}` (systemd's, in CREDENTIALS_DIRECTORY) replaced
 * by the text of that file, without one newline at its end. Throws HostError (invalid-argument) naming the file,
 * never its content.
 */
export function resolveSecrets(value: Json, env: NodeJS.ProcessEnv): Json {
  return mapReferences(value, (reference) => readSecret(reference, env));
}

/** The value with each reference, and what the schema marks `writeOnly`, hidden: for dumps, status and crash files. */
export function hideSecrets(value: Json, schema?: Json): Json {
  return hideMarked(
    mapReferences(value, () => hiddenText),
    schema,
    schema,
  );
}

/** Whether any secret is referred to. */
export function holdsSecrets(value: Json): boolean {
  if (Array.isArray(value)) return value.some(holdsSecrets);
  if (!isObject(value)) return false;
  return asReference(value) !== undefined || Object.values(value).some(holdsSecrets);
}

function mapReferences(value: Json, replace: (reference: Reference) => Json): Json {
  if (Array.isArray(value)) return value.map((item) => mapReferences(item, replace));
  if (!isObject(value)) return value;
  const reference = asReference(value);
  if (reference !== undefined) return replace(reference);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapReferences(item, replace)]));
}

function asReference(value: JsonObject): Reference | undefined {
  const [key, ...more] = Object.keys(value);
  if (more.length > 0) return undefined;
  const text = key === undefined ? undefined : value[key];
  if (typeof text !== "string") return undefined;
  if (key === "fromFile") return { fromFile: text };
  return key === "fromCredential" ? { fromCredential: text } : undefined;
}

function readSecret(reference: Reference, env: NodeJS.ProcessEnv): string {
  const path = "fromFile" in reference ? secretFile(reference.fromFile) : credentialFile(reference.fromCredential, env);
  try {
    return readText(path, secretLimitBytes).replace(/\r?\n$/, "");
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    const advice = error.hint === "" ? "" : `; ${error.hint}`;
    throw new HostError("invalid-argument", `cannot read the secret ${path}: ${error.message}${advice}`, {
      cause: error,
    });
  }
}

function secretFile(path: string): string {
  if (isAbsolute(path)) return path;
  throw new HostError("invalid-argument", `fromFile: ${path} is not an absolute path`);
}

function credentialFile(name: string, env: NodeJS.ProcessEnv): string {
  const folder = env["CREDENTIALS_DIRECTORY"];
  if (!/^[\w.@-]{1,255}$/.test(name) || /^\.+$/.test(name))
    throw new HostError("invalid-argument", `fromCredential: ${JSON.stringify(name)} is no name of a credential`);
  if (folder === undefined || folder === "")
    throw new HostError(
      "invalid-argument",
      `fromCredential: ${name}: the service manager passed no credentials; add LoadCredential=${name}:… to the unit`,
    );
  return join(folder, name);
}

/** Hides by the schema: through `properties`, `items`, `additionalProperties` and references within it. */
function hideMarked(value: Json, schema: Json | undefined, root: Json | undefined, depth = 0): Json {
  const found = follow(schema, root);
  if (!isObject(found) || depth > 64) return value;
  if (found["writeOnly"] === true) return hiddenText;
  if (Array.isArray(value)) return value.map((item) => hideMarked(item, found["items"], root, depth + 1));
  if (!isObject(value)) return value;
  const properties = isObject(found["properties"]) ? found["properties"] : {};
  const below = (key: string): Json | undefined =>
    Object.hasOwn(properties, key) ? properties[key] : found["additionalProperties"];
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, hideMarked(item, below(key), root, depth + 1)]),
  );
}

function follow(schema: Json | undefined, root: Json | undefined): Json | undefined {
  if (!isObject(schema) || typeof schema["$ref"] !== "string" || !schema["$ref"].startsWith("#/")) return schema;
  return schema["$ref"]
    .slice(2)
    .split("/")
    .reduce<Json | undefined>(
      (node, key) => (isObject(node) ? node[key.replaceAll("~1", "/").replaceAll("~0", "~")] : undefined),
      root,
    );
}
