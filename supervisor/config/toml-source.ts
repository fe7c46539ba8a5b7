import { plainJson } from "./plain-json.ts";
import { type KeyPath, type Position, type Source, SourceError } from "./source.ts";
import { locateTomlKey } from "./toml-locator.ts";

/** Parses TOML 1.0, containerd's own format. The parser is loaded here. Throws SourceError. */
export async function parseToml(file: string, text: string): Promise<Source> {
  const toml = await import("smol-toml");
  const locate = (path: KeyPath): Position => locateTomlKey(text, path);
  let value: unknown;
  try {
    value = toml.parse(text);
  } catch (error) {
    throw describe(error, toml.TomlError);
  }
  return { file, format: "toml", value: plainJson(value, locate), locate };
}

function describe(error: unknown, TomlError: typeof import("smol-toml").TomlError): SourceError {
  if (!(error instanceof TomlError))
    return new SourceError("not valid TOML: nested too deeply", undefined, "", { cause: error });
  const message = (error.message.split("\n", 1)[0] ?? "").replace(/^Invalid TOML document: /, "");
  return new SourceError(`not valid TOML: ${message}`, { line: error.line, column: error.column }, "", {
    cause: error,
  });
}
