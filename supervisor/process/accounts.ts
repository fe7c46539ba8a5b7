import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { HostError } from "#proto/wire/errors.ts";
import type { Manifest } from "../config/manifest.ts";

/** Who a process runs as, in numbers. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
}

/** How long a directory service may take to answer. */
const lookupMs = 2000;

/** Where accounts are looked up; tests give their own. */
export interface Accounts {
  readonly passwd: string;
  readonly group: string;
}

export function systemAccounts(): Accounts {
  return { passwd: readText("/etc/passwd"), group: readText("/etc/group") };
}

/**
 * Who the package is to run as; undefined: as the daemon. A user brings its own group and those it is a member of,
 * `groups` come on top. A number without an account is its own group. Throws not-found for an unknown name.
 */
export function identityOf(
  { name, user, groups }: Pick<Manifest, "name" | "user" | "groups">,
  accounts: Accounts = systemAccounts(),
): Identity | undefined {
  if (user === undefined && groups.length === 0) return undefined;
  const account = user === undefined ? daemonAccount() : findUser(user, accounts, name);
  const extra = groups.map((group) => findGroup(group, accounts, name));
  return {
    uid: account.uid,
    gid: account.gid,
    groups: [...new Set([...account.groups, ...extra])].filter((gid) => gid !== account.gid || user === undefined),
  };
}

function findUser(user: string, accounts: Accounts, packageName: string): Identity {
  const isNumber = /^\d+$/.test(user);
  const field = isNumber ? 2 : 0;
  const entry = findEntry(accounts.passwd, field, user) ?? lookUp("passwd", user);
  if (entry === undefined && isNumber) return { uid: Number(user), gid: Number(user), groups: [] };
  if (entry === undefined) {
    throw new HostError(
      "not-found",
      `user ${user} is not known on this machine: add it (useradd --system ${user}), or set packages.${packageName}.user in the config`,
    );
  }
  const [login = "", , uid, gid] = entry;
  return { uid: Number(uid), gid: Number(gid), groups: groupsOf(login, accounts) };
}

function findGroup(group: string, accounts: Accounts, packageName: string): number {
  if (/^\d+$/.test(group)) return Number(group);
  const entry = findEntry(accounts.group, 0, group) ?? lookUp("group", group);
  if (entry !== undefined) return Number(entry[2]);
  throw new HostError(
    "not-found",
    `group ${group} is not known on this machine: add it (groupadd --system ${group}), or set packages.${packageName}.groups in the config`,
  );
}

/** Groups that name the user as a member. */
function groupsOf(login: string, accounts: Accounts): number[] {
  return accounts.group.split("\n").flatMap((line) => {
    const [, , gid = "", members = ""] = line.split(":");
    return members.split(",").includes(login) && /^\d+$/.test(gid) ? [Number(gid)] : [];
  });
}

function daemonAccount(): Identity {
  return { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, groups: process.getgroups?.() ?? [] };
}

function findEntry(text: string, field: number, wanted: string): string[] | undefined {
  return text
    .split("\n")
    .map((line) => line.split(":"))
    .find((entry) => entry[field] === wanted && /^\d+$/.test(entry[2] ?? ""));
}

/** Accounts of directory services, which no file lists. */
function lookUp(database: "passwd" | "group", key: string): string[] | undefined {
  try {
    const answer = execFileSync("getent", [database, "--", key], {
      encoding: "utf8",
      timeout: lookupMs,
      stdio: ["ignore", "pipe", "ignore"],
    });
    const [entry] = answer.split("\n").map((line) => line.split(":"));
    return entry !== undefined && /^\d+$/.test(entry[2] ?? "") ? entry : undefined;
  } catch {
    return undefined;
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
