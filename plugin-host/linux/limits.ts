import { callLibc } from "./library.ts";

const resources = { cpu: 0, fsize: 1, data: 2, stack: 3, core: 4, nproc: 6, nofile: 7, memlock: 8, as: 9 } as const;
const unlimited = 0xffffffffffffffffn;

export type ResourceName = keyof typeof resources;

/** A resource limit; undefined: none. */
export interface ResourceLimit {
  readonly soft: number | undefined;
  readonly hard: number | undefined;
}

/** A resource limit of a process (prlimit(2)); pid 0: this one. */
export function getResourceLimit(resource: ResourceName, pid = 0): ResourceLimit {
  const answer = new BigUint64Array(2);
  callPrlimit(pid, resource, null, answer);
  return { soft: fromNative(answer[0]), hard: fromNative(answer[1]) };
}

/** Sets a resource limit of a process (prlimit(2)); pid 0: this one. @throws LinuxError EPERM: above the hard one. */
export function setResourceLimit(resource: ResourceName, limit: ResourceLimit, pid = 0): void {
  callPrlimit(pid, resource, new BigUint64Array([toNative(limit.soft), toNative(limit.hard)]), null);
}

function callPrlimit(
  pid: number,
  resource: ResourceName,
  wanted: BigUint64Array | null,
  answer: BigUint64Array | null,
): void {
  const prototype = "int prlimit(int pid, int resource, const void *wanted, void *answer)";
  callLibc({ syscall: "prlimit", path: resource }, prototype, pid, resources[resource], wanted, answer);
}

function fromNative(value: bigint | undefined): number | undefined {
  return value === undefined || value === unlimited ? undefined : Number(value);
}

function toNative(value: number | undefined): bigint {
  return value === undefined ? unlimited : BigInt(value);
}
