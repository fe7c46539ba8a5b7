import { hostVersion, readRevision } from "../version.ts";
import { print, printJson } from "./terminal.ts";

/** `bulkhead version`: of this command; asks no daemon. */
export async function showVersion(options: { readonly json?: true }): Promise<void> {
  const revision = readRevision();
  const node = process.version;
  if (options.json) await printJson({ version: hostVersion, revision, node });
  else await print(`bulkhead ${hostVersion}${revision && ` ${revision}`} (node ${node})\n`);
}
