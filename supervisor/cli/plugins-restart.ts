import { callControl } from "./control-client.ts";
import type { GlobalFlags } from "./globals.ts";
import { pluginHeadings, pluginJson, pluginRow } from "./plugin-rows.ts";
import { formatTable } from "./table.ts";
import { print, printJson } from "./terminal.ts";

/** `bulkhead plugins restart NAME`: returns when the next instance is ready. */
export async function restartPackage(
  globals: GlobalFlags,
  name: string,
  options: { readonly json?: true },
): Promise<void> {
  // No deadline: the package's own readiness timeout bounds it.
  const { plugins } = await callControl("admin", globals, `restart ${name}`, (client) =>
    client.restartPackage({ name }),
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
