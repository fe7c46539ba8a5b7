import { callControl } from "./control-client.ts";
import type { GlobalFlags } from "./globals.ts";
import { pluginHeadings, pluginJson, pluginRow } from "./plugin-rows.ts";
import { formatTable } from "./table.ts";
import { print, printJson } from "./terminal.ts";

/** `bulkhead plugins ls`. */
export async function listPlugins(globals: GlobalFlags, options: { readonly json?: true }): Promise<void> {
  const { plugins } = await callControl("main", globals, "list plugins", (client, call) =>
    client.listPlugins({}, call),
  );
  if (options.json) await printJson(plugins.map(pluginJson));
  else
    await print(
      formatTable(
        pluginHeadings,
        plugins.map((plugin) => pluginRow(plugin, Date.now())),
      ),
    );
}
