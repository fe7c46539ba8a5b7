import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  BlkIOEntrySchema,
  MemoryEntrySchema,
  MetricsSchema,
} from "#proto/gen/containerd/cgroups/v1/metrics_pb.ts";
import { isGroup, listFiles, readCount, readPairs, readText } from "../../shared/cgroups/group-files.ts";
import type { GroupFolders } from "../../shared/cgroups/group-folders.ts";

type Metrics = MessageInitShape<typeof MetricsSchema>;

/** Nanoseconds of a tick of cpuacct.stat. */
const tickNs = 1e9 / 100;

/**
 * All that a container's v1 groups tell (containerd/cgroups, Stat); what a kernel does not have is 0 or left out.
 * `deviceOf` names a block device, "" for unknown.
 */
export function groupMetrics(folders: GroupFolders, deviceOf: (number: string) => string): Metrics {
  const among = <T>(name: string, read: (folder: string) => T): T | undefined => {
    const folder = folders.get(name);
    return folder === undefined || !isGroup(folder) ? undefined : read(folder);
  };
  const pids = among("pids", (folder) => ({
    current: count(folder, "pids.current"),
    limit: count(folder, "pids.max"),
  }));
  const throttling = among("cpu", throttlingIn);
  const usage = among("cpuacct", cpuUsageIn);
  const memory = among("memory", memoryIn);
  const oom = among("memory", oomControlIn);
  const blkio = among("blkio", (folder) => blkioIn(folder, deviceOf));
  return {
    hugetlb: among("hugetlb", hugetlbIn) ?? [],
    ...(pids && { pids }),
    cpu: { ...(usage && { usage }), ...(throttling && { throttling }) },
    ...(memory && { memory }),
    ...(oom && { memoryOomControl: oom }),
    ...(blkio && { blkio }),
  };
}

function count(folder: string, name: string): bigint {
  return BigInt(readCount(folder, name));
}

/** Numbers by name of a file; 0 for those it does not have. */
function pairs(folder: string, name: string): (key: string) => bigint {
  const read = readPairs(folder, name);
  return (key) => BigInt(read?.get(key) ?? 0);
}

function throttlingIn(folder: string) {
  const of = pairs(folder, "cpu.stat");
  return { periods: of("nr_periods"), throttledPeriods: of("nr_throttled"), throttledTime: of("throttled_time") };
}

function cpuUsageIn(folder: string) {
  const ticks = pairs(folder, "cpuacct.stat");
  const perCpu = (readText(folder, "cpuacct.usage_percpu") ?? "").split(/\s+/).filter((text) => text !== "");
  return {
    total: count(folder, "cpuacct.usage"),
    kernel: ticks("system") * BigInt(tickNs),
    user: ticks("user") * BigInt(tickNs),
    perCpu: perCpu.map(BigInt),
  };
}

function memoryIn(folder: string) {
  const of = pairs(folder, "memory.stat");
  return {
    cache: of("cache"),
    rss: of("rss"),
    rssHuge: of("rss_huge"),
    mappedFile: of("mapped_file"),
    dirty: of("dirty"),
    writeback: of("writeback"),
    pgPgIn: of("pgpgin"),
    pgPgOut: of("pgpgout"),
    pgFault: of("pgfault"),
    pgMajFault: of("pgmajfault"),
    inactiveAnon: of("inactive_anon"),
    activeAnon: of("active_anon"),
    inactiveFile: of("inactive_file"),
    activeFile: of("active_file"),
    unevictable: of("unevictable"),
    hierarchicalMemoryLimit: of("hierarchical_memory_limit"),
    hierarchicalSwapLimit: of("hierarchical_memsw_limit"),
    totalCache: of("total_cache"),
    totalRss: of("total_rss"),
    totalRssHuge: of("total_rss_huge"),
    totalMappedFile: of("total_mapped_file"),
    totalDirty: of("total_dirty"),
    totalWriteback: of("total_writeback"),
    totalPgPgIn: of("total_pgpgin"),
    totalPgPgOut: of("total_pgpgout"),
    totalPgFault: of("total_pgfault"),
    totalPgMajFault: of("total_pgmajfault"),
    totalInactiveAnon: of("total_inactive_anon"),
    totalActiveAnon: of("total_active_anon"),
    totalInactiveFile: of("total_inactive_file"),
    totalActiveFile: of("total_active_file"),
    totalUnevictable: of("total_unevictable"),
    usage: memoryEntry(folder, "memory"),
    swap: memoryEntry(folder, "memory.memsw"),
    kernel: memoryEntry(folder, "memory.kmem"),
    kernelTcp: memoryEntry(folder, "memory.kmem.tcp"),
  };
}

function memoryEntry(folder: string, prefix: string): MessageInitShape<typeof MemoryEntrySchema> {
  return {
    limit: count(folder, `${prefix}.limit_in_bytes`),
    usage: count(folder, `${prefix}.usage_in_bytes`),
    max: count(folder, `${prefix}.max_usage_in_bytes`),
    failcnt: count(folder, `${prefix}.failcnt`),
  };
}

function oomControlIn(folder: string) {
  const of = pairs(folder, "memory.oom_control");
  return { oomKillDisable: of("oom_kill_disable"), underOom: of("under_oom"), oomKill: of("oom_kill") };
}

function hugetlbIn(folder: string) {
  const sizes = listFiles(folder).flatMap((name) => /^hugetlb\.([^.]+)\.usage_in_bytes$/.exec(name)?.[1] ?? []);
  return sizes.map((pagesize) => ({
    pagesize,
    usage: count(folder, `hugetlb.${pagesize}.usage_in_bytes`),
    max: count(folder, `hugetlb.${pagesize}.max_usage_in_bytes`),
    failcnt: count(folder, `hugetlb.${pagesize}.failcnt`),
  }));
}

function blkioIn(folder: string, deviceOf: (number: string) => string) {
  const read = (file: string) => blkioEntries(readText(folder, `blkio.${file}`) ?? "", deviceOf);
  const recursive = {
    ioServiceBytesRecursive: read("io_service_bytes_recursive"),
    ioServicedRecursive: read("io_serviced_recursive"),
    ioQueuedRecursive: read("io_queued_recursive"),
    ioServiceTimeRecursive: read("io_service_time_recursive"),
    ioWaitTimeRecursive: read("io_wait_time_recursive"),
    ioMergedRecursive: read("io_merged_recursive"),
    ioTimeRecursive: read("time_recursive"),
    sectorsRecursive: read("sectors_recursive"),
  };
  if (Object.values(recursive).some((entries) => entries.length > 0)) return recursive;
  // What a kernel without the CFQ scheduler counts instead.
  return {
    ioServicedRecursive: read("throttle.io_serviced"),
    ioServiceBytesRecursive: read("throttle.io_service_bytes"),
  };
}

/** Lines like `8:0 Read 4096`; some files have no operation, and the last line is a total. */
function blkioEntries(text: string, deviceOf: (number: string) => string): MessageInitShape<typeof BlkIOEntrySchema>[] {
  return text.split("\n").flatMap((line) => {
    const [, major = "0", minor = "0", op = "", value] = /^(\d+):(\d+) (?:(\w+) )?(\d+)$/.exec(line) ?? [];
    if (value === undefined) return [];
    const device = deviceOf(`${major}:${minor}`);
    return [{ device, major: BigInt(major), minor: BigInt(minor), op, value: BigInt(value) }];
  });
}
