import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { reportFile, type PeerReport } from "../../scripts/peers.ts";
import { debianRoot, fixturesCache } from "../../scripts/peers/folders.ts";

import { readGroupFile, resources } from "../../supervisor/process/cgroup/group-files.ts";
import { findHierarchies } from "../../supervisor/process/cgroup/hierarchies.ts";
import { removeGroup } from "../../supervisor/process/cgroup/instance-cgroup.ts";

/** What a test cannot do without. */
export interface Needs {
  /** Peers and fixtures as `scripts/peers.ts` names them. */
  readonly peers?: readonly string[];
  readonly root?: boolean;
  /** Cgroups in which memory, CPU and processes can be bounded. */
  readonly cgroups?: boolean;
}

/**
 * For a test's `skip` option: the reason when something is missing, else false. With CI=true that is an error,
 * so that no machine passes by skipping.
 */
export function skipWithout(needs: Needs): string | false {
  const reasons = missing(needs);
  if (reasons.length === 0) return false;
  if (process.env["CI"] === "true") throw new Error(`this test may not be skipped here: ${reasons.join("; ")}`);
  return reasons.join("; ");
}

function missing(needs: Needs): string[] {
  const reasons: string[] = [];
  if (needs.root === true && process.getuid?.() !== 0) reasons.push("needs root");
  if (needs.cgroups === true && !canBound()) reasons.push("needs writable cgroups");
  if (needs.peers !== undefined && needs.peers.length > 0) {
    const report = readReport();
    for (const peer of needs.peers) {
      const reason = report === undefined ? "not prepared; run `node scripts/peers.ts`" : report[peer];
      if (reason !== null) reasons.push(`${peer}: ${reason ?? "no such peer"}`);
    }
  }
  return reasons;
}

function canBound(): boolean {
  const offered = findHierarchies().filter(({ ownFolder }) => isWritable(ownFolder));
  const controllers = offered.flatMap((each) => [
    ...each.controllers,
    ...(readGroupFile(each.ownFolder, "cgroup.controllers") ?? "").trim().split(/\s+/),
  ]);
  return resources.every((each) => controllers.includes(each));
}

function isWritable(path: string): boolean {
  const probe = join(path, `bulkhead-test-${process.pid}`);
  try {
    mkdirSync(probe);
    return removeGroup(probe);
  } catch {
    return false;
  }
}

function readReport(): PeerReport | undefined {
  try {
    return JSON.parse(readFileSync(reportFile, "utf8")) as PeerReport;
  } catch {
    return undefined;
  }
}

/** Absolute path of a program of Debian's containerd, like `ctr`. */
export function containerdProgram(name: string): string {
  return join(debianRoot("containerd"), "usr/bin", name);
}

/** Package folder of a built fixture. */
export function fixtureFolder(name: string): string {
  return join(fixturesCache, name);
}
