import type { GetPackageResponse } from "#proto/gen/bulkhead/control/v1/control_pb.ts";
import { isHostError } from "#proto/wire/errors.ts";
import { callControl, type ControlCall } from "./control-client.ts";
import type { GlobalFlags } from "./globals.ts";
import { crashFacts, crashJson } from "./crash-text.ts";
import { exitText, pluginHeadings, pluginJson, pluginRow } from "./plugin-rows.ts";
import { formatTable } from "./table.ts";
import { paint, print, printJson } from "./terminal.ts";
import { ago, isoTime } from "./time-text.ts";

/** `bulkhead plugins show NAME`: a package, or the package of a plugin named by id or type.id. */
export async function showPackage(
  globals: GlobalFlags,
  name: string,
  options: { readonly json?: true },
): Promise<void> {
  const found = await callControl("main", globals, `show ${name}`, (client, call) => getPackage(client, name, call));
  if (options.json) await printJson(packageJson(found));
  else await print(describe(found));
}

const getPackage: ControlCall<GetPackageResponse, string> = async (client, name, call) => {
  try {
    return await client.getPackage({ name }, call);
  } catch (error) {
    if (!isHostError(error, "not-found")) throw error;
    const { plugins } = await client.listPlugins({}, call);
    const plugin = plugins.find(({ type, id }) => name === `${type}.${id}` || name === id);
    if (plugin === undefined) throw error;
    return client.getPackage({ name: plugin.package }, call);
  }
};

function packageJson(found: GetPackageResponse): Record<string, unknown> {
  const { name, version, tier, folder, serves, routes, requires, wants, calls, notes, logFile } = found;
  const config = Object.fromEntries(
    Object.entries(found.configJson).map(([uri, text]) => [uri, JSON.parse(text) as unknown]),
  );
  const plugins = found.plugins.map(pluginJson);
  const crashes = { files: found.crashFiles, last: found.lastCrash === undefined ? null : crashJson(found.lastCrash) };
  return {
    name,
    version,
    tier,
    folder,
    plugins,
    serves,
    routes,
    requires,
    wants,
    calls,
    config,
    notes,
    logFile,
    crashes,
  };
}

function describe(found: GetPackageResponse): string {
  const [first] = found.plugins;
  const exit = first?.lastExit;
  const facts: [string, string][] = [
    ["Package", `${found.name} ${found.version}`.trim()],
    ["Tier", found.tier],
    ["Folder", found.folder],
    ["Process", first && first.pid > 0n ? `pid ${first.pid}, generation ${first.generation}` : "none"],
    ["Restarts", String(first?.restarts ?? 0)],
    ["Last exit", exit === undefined ? "" : `${exitText(exit)}, ${ago(exit.at, Date.now())} ago`],
    ["Next start", isoTime(first?.nextAttempt) ?? ""],
    ["Socket", first?.socket ?? ""],
    ["Log", found.logFile],
    ["Serves", found.serves.join("\n")],
    ["Routes", found.routes.join("\n")],
    ["Requires", found.requires.join("\n")],
    ["Wants", found.wants.join("\n")],
    ["Calls", found.calls.join("\n")],
    ["Notes", found.notes.join("\n")],
    ...Object.entries(found.configJson)
      .filter(([, text]) => text !== "{}")
      .map(([uri, text]): [string, string] => ["Config", `${uri} ${text}`]),
    ...(found.lastCrash === undefined ? [] : crashFacts(found.lastCrash, found.crashFiles, Date.now())),
  ];
  const lines = facts.filter(([, value]) => value !== "").map(([name, value]) => formatFact(name, value));
  const rows = found.plugins.map((plugin) => pluginRow(plugin, Date.now()));
  return `${lines.join("")}\n${formatTable(pluginHeadings, rows)}`;
}

function formatFact(name: string, value: string): string {
  const [head = "", ...more] = value.split("\n");
  const indent = " ".repeat(12);
  return [`${paint("bold", `${name}:`.padEnd(12))}${head}`, ...more.map((line) => indent + line), ""].join("\n");
}
