import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { readDaemonConfig } from "./daemon-config.ts";
import type { GlobalFlags } from "./globals.ts";

/** The daemon's sockets: main is read-only for control's own API, admin changes things. */
export type SocketName = "main" | "admin";

/**
 * Where a daemon's socket is: by flags, then BULKHEAD_ADDRESS, then the config file or its defaults, which are read
 * only when nothing else says. The admin socket of a daemon that is named by its main socket lies beside that, or in the
 * state folder of the config that names the same main socket: never is another daemon changed than the one named.
 * Throws CommandFailure (78) for a config that cannot be read.
 */
export async function findSocket(name: SocketName, globals: GlobalFlags): Promise<string> {
  const main = globals.address ?? process.env["BULKHEAD_ADDRESS"];
  if (name === "main") return main ? resolve(main) : (await readDaemonConfig(globals)).grpc.address;
  if (globals.state) return adminSocket(globals.state);
  if (!main || globals.config) return adminSocket((await readDaemonConfig(globals)).state);
  const beside = adminSocket(dirname(main));
  if (existsSync(beside)) return beside;
  const { address: _, ...rest } = globals;
  const { grpc, state } = await readDaemonConfig(rest);
  return grpc.address === resolve(main) ? adminSocket(state) : beside;
}

function adminSocket(state: string): string {
  return join(resolve(state), "admin.sock");
}
