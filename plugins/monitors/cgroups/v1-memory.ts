import { readCount, readPairs } from "../../shared/cgroups/group-files.ts";
import { reading, type Reading } from "./reading.ts";

/** Lines of memory.stat that are told of, each also with `total_` before it. */
const amountsUsed = ["cache", "rss", "rss_huge", "mapped_file"];
const amounts = [
  "dirty",
  "writeback",
  "pgpgin",
  "pgpgout",
  "pgfault",
  "pgmajfault",
  "inactive_anon",
  "active_anon",
  "inactive_file",
  "active_file",
  "unevictable",
];

/** Counters beside memory.stat: the word in the metric, that of the help, and the file's prefix. */
const counters = [
  { name: "usage", words: "usage", file: "memory" },
  { name: "swap", words: "swap", file: "memory.memsw" },
  { name: "kernel", words: "kernel", file: "memory.kmem" },
  { name: "kerneltcp", words: "kerneltcp", file: "memory.kmem.tcp" },
];

/** containerd metrics/cgroups/v1/memory.go; even counts of pages and faults are called bytes there. */
export function memoryReadings(folder: string): Reading[] {
  const stat = readPairs(folder, "memory.stat");
  if (stat === undefined) return [];
  const amount = (key: string, used: string): Reading =>
    reading(`memory_${key}_bytes`, `The ${key} amount${used}`, stat.get(key) ?? 0);
  const group = (prefix: string): Reading[] => [
    ...amountsUsed.map((key) => amount(prefix + key, " used")),
    ...amounts.map((key) => amount(prefix + key, "")),
  ];
  return [
    ...group(""),
    amount("hierarchical_memory_limit", ""),
    amount("hierarchical_memsw_limit", ""),
    ...group("total_"),
    ...counters.flatMap(({ name, words, file }) => counterReadings(folder, name, words, file)),
  ];
}

function counterReadings(folder: string, name: string, words: string, file: string): Reading[] {
  // "memory" is what containerd calls the usage in these two.
  const subject = name === "usage" ? "memory" : words;
  const usage = name === "usage" ? "The memory usage" : `The ${words} usage`;
  return [
    reading(`memory_${name}_failcnt_total`, `The ${words} failcnt`, readCount(folder, `${file}.failcnt`)),
    reading(`memory_${name}_limit_bytes`, `The ${subject} limit`, readCount(folder, `${file}.limit_in_bytes`)),
    reading(
      `memory_${name}_max_bytes`,
      `The ${subject} maximum usage`,
      readCount(folder, `${file}.max_usage_in_bytes`),
    ),
    reading(`memory_${name}_usage_bytes`, usage, readCount(folder, `${file}.usage_in_bytes`)),
  ];
}
