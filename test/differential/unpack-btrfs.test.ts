import { compareCases } from "./compare.ts";
import { unpackCases } from "./unpack-cases.ts";

compareCases("unpack", unpackCases("btrfs"), { btrfs: true });
