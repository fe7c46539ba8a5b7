import { listFiles, readCount } from "../../shared/cgroups/group-files.ts";
import { family, type Family, type Reading } from "./reading.ts";

const usage = family("hugetlb_usage_bytes", "The hugetlb usage");
const failures = family("hugetlb_failcnt_total", "The hugetlb failcnt");
const max = family("hugetlb_max_bytes", "The hugetlb maximum usage");

/** containerd metrics/cgroups/v1/hugetlb.go; page sizes as the files have them, like "2MB". */
export function hugetlbReadings(folder: string): Reading[] {
  const sizes = listFiles(folder).flatMap((name) => /^hugetlb\.([^.]+)\.usage_in_bytes$/.exec(name)?.[1] ?? []);
  return sizes.flatMap((page) => {
    const read = (which: Family, file: string): Reading => ({
      family: which,
      value: readCount(folder, `hugetlb.${page}.${file}`),
      labels: { page },
    });
    return [read(usage, "usage_in_bytes"), read(failures, "failcnt"), read(max, "max_usage_in_bytes")];
  });
}
