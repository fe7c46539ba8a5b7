import { readText } from "../../shared/cgroups/group-files.ts";
import { family, type Family, type Reading } from "./reading.ts";

const families = {
  io_merged_recursive: family("blkio_io_merged_recursive_total", "The blkio io merged recursive"),
  io_queued_recursive: family("blkio_io_queued_recursive_total", "The blkio io queued recursive"),
  io_service_bytes_recursive: family("blkio_io_service_bytes_recursive_bytes", "The blkio io service bytes recursive"),
  io_service_time_recursive: family("blkio_io_service_time_recursive_total", "The blkio io service time recursive"),
  io_serviced_recursive: family("blkio_io_serviced_recursive_total", "The blkio io serviced recursive"),
  time_recursive: family("blkio_io_time_recursive_total", "The blkio io time recursive"),
  sectors_recursive: family("blkio_sectors_recursive_total", "The blkio sectors recursive"),
} as const;

/** What a kernel without the CFQ scheduler counts instead. */
const throttled: readonly (readonly [string, Family])[] = [
  ["throttle.io_serviced", families.io_serviced_recursive],
  ["throttle.io_service_bytes", families.io_service_bytes_recursive],
];

/** containerd metrics/cgroups/v1/blkio.go and containerd/cgroups blkio.go. */
export function blkioReadings(folder: string, deviceOf: (number: string) => string): Reading[] {
  const read = (entries: readonly (readonly [string, Family])[]): Reading[] =>
    entries.flatMap(([file, which]) => parseEntries(readText(folder, `blkio.${file}`) ?? "", which, deviceOf));
  const recursive = read(Object.entries(families));
  return recursive.length > 0 ? recursive : read(throttled);
}

/** Lines like `8:0 Read 4096`; some files have no operation, and the last line is a total. */
function parseEntries(text: string, which: Family, deviceOf: (number: string) => string): Reading[] {
  return text.split("\n").flatMap((line) => {
    const [, major = "", minor = "", op = "", value] = /^(\d+):(\d+) (?:(\w+) )?(\d+)$/.exec(line) ?? [];
    if (value === undefined) return [];
    const labels = { device: deviceOf(`${major}:${minor}`), major, minor, op };
    return [{ family: which, value: Number(value), labels }];
  });
}
