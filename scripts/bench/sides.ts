import { join } from "node:path";
import { startBulkhead } from "../../test/harness/bulkhead-daemon.ts";
import { startStock, type Daemon } from "../../test/harness/stock-daemon.ts";
import { debianRoot } from "../peers/folders.ts";

/** A daemon that is measured. */
export interface Side {
  readonly name: "without unpigz" | "with unpigz" | "ours";
  readonly daemon: Daemon;
}

/** The stock daemon, which decompresses by itself or with the `unpigz` it finds, and ours; given back by `stack`. */
export async function startSides(stack: AsyncDisposableStack): Promise<readonly Side[]> {
  const path = `${join(debianRoot("pigz"), "usr/bin")}:${process.env["PATH"]}`;
  return [
    { name: "without unpigz", daemon: stack.use(await startStock({ env: { CONTAINERD_DISABLE_PIGZ: "1" } })) },
    { name: "with unpigz", daemon: stack.use(await startStock({ env: { PATH: path } })) },
    { name: "ours", daemon: stack.use(await startBulkhead()) },
  ];
}
