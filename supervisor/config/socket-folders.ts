import { chmodSync, lstatSync } from "node:fs";
import { dirname, join } from "node:path";
import { makeFolderPath } from "#linux";

/** Bytes that the path of a package's socket may have (plugin contract, section 3). */
export const socketPathLimitBytes = 103;

/** Bytes that a state path may have: its sockets (`bulkhead.sock` is the longest) must fit into 104. */
export const statePathLimitBytes = 90;

/** Longest that follows the folder: `/<package>/<generation>.sock`, a name of 32 and 8 digits. */
const packageSocketTailBytes = 1 + 32 + 1 + 8 + ".sock".length;
const hostSocketTailBytes = 1 + 32 + ".sock".length;

export interface SocketFolders {
  /** Holds `<package>/<generation>.sock` and `<package>/peer.sock`. */
  readonly socketFolder: string;
  /** Holds `<package>.sock`, the packages' ways to the host. */
  readonly hostSocketFolder: string;
  /** Why they are not in the state folder: a text for the log; undefined: they are. */
  readonly shortened: string | undefined;
}

/**
 * Where the packages' sockets go: into the state folder, or, where their paths would get too long, into a short
 * folder whose name stands for this state. The same state always gives the same folders.
 */
export function packageFolders(state: string, env: NodeJS.ProcessEnv = process.env): SocketFolders {
  const inState = { socketFolder: join(state, "s"), hostSocketFolder: join(state, "host") };
  if (fits(inState.socketFolder, packageSocketTailBytes) && fits(inState.hostSocketFolder, hostSocketTailBytes))
    return { ...inState, shortened: undefined };
  const short = shortFolder(state, env);
  const shortened = `state ${state} is too deep for the packages' sockets (${socketPathLimitBytes} bytes a path): they are in ${short}`;
  return { socketFolder: join(short, "s"), hostSocketFolder: join(short, "host"), shortened };
}

/** The short folder that stands for a deep state; only a name, see `makeSocketFolder`. */
export function shortFolder(state: string, env: NodeJS.ProcessEnv): string {
  const { createHash } = process.getBuiltinModule("node:crypto");
  const name = createHash("sha256").update(state).digest("hex").slice(0, 12);
  const uid = process.geteuid?.() ?? 0;
  const runtime = env["XDG_RUNTIME_DIR"];
  const parents = uid === 0 ? ["/run"] : runtime?.startsWith("/") === true ? [runtime] : [];
  const parent = parents.find((each) => fits(join(each, `bulkhead-${name}`, "s"), packageSocketTailBytes)) ?? "/tmp";
  return join(parent, parent === "/tmp" ? `bulkhead-${uid}-${name}` : `bulkhead-${name}`);
}

/**
 * Makes a folder for sockets, and the one above it, that others may pass through and only this user may write to
 * (0711). One that is there must be a folder of this user's, since a short one may stand where all can write; its
 * mode is put right. Throws an Error that says what to do.
 */
export function makeSocketFolder(path: string): void {
  for (const folder of [dirname(path), path]) {
    makeFolderPath(folder, 0o711);
    const stats = lstatSync(folder);
    if (!stats.isDirectory() || stats.uid !== process.geteuid?.())
      throw new Error(`${folder} is not a folder of this user's; remove it, or choose another state folder`);
    chmodSync(folder, 0o711);
  }
}

function fits(folder: string, tailBytes: number): boolean {
  return Buffer.byteLength(folder) + tailBytes <= socketPathLimitBytes;
}
