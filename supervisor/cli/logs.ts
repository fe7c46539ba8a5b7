import { callControl } from "./control-client.ts";
import type { GlobalFlags } from "./globals.ts";
import { print } from "./terminal.ts";

export interface LogsOptions {
  /** 0: the daemon's default. */
  readonly lines: number;
  readonly follow?: true;
}

/** `bulkhead logs NAME`: a package's output as it was written. */
export async function showLogs(globals: GlobalFlags, name: string, options: LogsOptions): Promise<void> {
  const request = { package: name, lines: options.lines, follow: options.follow ?? false };
  await callControl("main", globals, `read the log of ${name}`, async (client) => {
    for await (const { data } of client.readLog(request)) await print(data);
  });
}
