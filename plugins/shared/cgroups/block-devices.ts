import { readText } from "./group-files.ts";

/** Paths of block devices by `major:minor`, from the text of /proc/partitions; the first of several names counts. */
export function parseDevices(partitions: string): ReadonlyMap<string, string> {
  const devices = new Map<string, string>();
  for (const line of partitions.split("\n")) {
    const [, major, minor, name] = /^\s*(\d+)\s+(\d+)\s+\d+\s+(\S+)$/.exec(line) ?? [];
    if (name === undefined || devices.has(`${major}:${minor}`)) continue;
    devices.set(`${major}:${minor}`, `/dev/${name}`);
  }
  return devices;
}

/** Names of this machine's devices, "" for unknown ones; the file is read when the first is asked for. */
export function deviceNames(): (number: string) => string {
  let devices: ReadonlyMap<string, string> | undefined;
  return (number) => {
    devices ??= parseDevices(readText("/proc", "partitions") ?? "");
    return devices.get(number) ?? "";
  };
}
