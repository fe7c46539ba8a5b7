import type { Config } from "../config/config.ts";
import { CommandFailure, exitCodes } from "./exit-codes.ts";
import type { GlobalFlags } from "./globals.ts";

/**
 * The config that a daemon started with these flags would have: commands look there for its sockets. The parser is
 * loaded only here. Throws CommandFailure (78) when it cannot be used.
 */
export async function readDaemonConfig({ config, address, root, state }: GlobalFlags): Promise<Config> {
  const { loadConfig } = await import("../config/load.ts");
  const { ConfigError } = await import("../config/problem.ts");
  try {
    return await loadConfig({
      file: config,
      overrides: { address, root, state },
      privileged: process.geteuid?.() === 0,
      env: process.env,
    });
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause;
    const text = `find the daemon by its config: ${cause.message}`;
    throw new CommandFailure(text, exitCodes.config, { cause });
  }
}
