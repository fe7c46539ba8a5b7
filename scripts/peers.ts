/**
 * Prepares what tests need from outside into `.cache`: Debian's containerd and the like, a Python environment,
 * built fixtures. Run by `npm test`; alone: `node scripts/peers.ts`. What cannot be had is written down with the
 * reason, and the tests that need it are skipped (with CI=true they fail).
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { debianPeers, prepareDebianPeer } from "./peers/debian.ts";
import { buildFixtures } from "./peers/fixtures.ts";
import { peersFolder } from "./peers/folders.ts";
import { preparePython } from "./peers/python.ts";
import { checkCargo, checkGo } from "./peers/toolchains.ts";

/** By peer: why it is absent; null: it is there. */
export type PeerReport = Readonly<Record<string, string | null>>;

/** Where the last report stands, for test files that run alone. */
export const reportFile = join(peersFolder, "report.json");

/** Fetches and builds what is missing. Takes a minute or two the first time, well under a second after. */
export async function preparePeers(say: (text: string) => void): Promise<PeerReport> {
  await mkdir(peersFolder, { recursive: true });
  const report: Record<string, string | null> = {};
  const note = async (name: string, work: Promise<string | undefined>) => {
    report[name] = (await work) ?? null;
    if (report[name] !== null) say(`peer ${name}: ${report[name]}`);
  };
  const python = preparePython();
  await Promise.all([
    ...debianPeers.map((peer) => note(peer.name, prepareDebianPeer(peer))),
    note("python", python),
    note("go", checkGo()),
    note("cargo", checkCargo()),
  ]);
  for (const [name, reason] of await buildFixtures(report, say)) report[name] = reason ?? null;
  await writeFile(reportFile, `${JSON.stringify(report, null, 2)}\n`);
  return report;
}

if (process.argv[1] === import.meta.filename) {
  await preparePeers((text) => console.error(text));
}
