import type { Any } from "@bufbuild/protobuf/wkt";
import { join } from "node:path";
import { Bundle } from "../bundle/bundle.ts";
import { createOn, type CallLimits, type CreateRequest } from "../tasks/create-task.ts";
import { cleanUpLost, recoverTasks, takeUp } from "../tasks/recovery.ts";
import type { ShimTask } from "../tasks/shim-task.ts";
import { LegacyCleaner } from "./cleaner.ts";
import type { LegacyParts } from "./legacy-parts.ts";
import { LegacyLogs, LegacyShim } from "./legacy-shim.ts";
import { keepOptions, keptOptions, legacyOptions, refuseShimCgroup } from "./options.ts";
import { startLegacyShim } from "./start-shim.ts";

/** Name of the runtime that containers ask for. */
export const legacyRuntimeName = "io.containerd.runtime.v1.linux";

export interface LegacyCreateRequest extends CreateRequest {
  /** Of the container, for the shim; `options` are the task's. */
  readonly runtimeOptions: Any | undefined;
}

/**
 * Makes a task of runtime v1 (containerd runtime/v1/linux/runtime.go). What fails leaves nothing. Throws what the shim
 * says, unknown, unimplemented, resource-exhausted.
 */
export async function createLegacyTask(
  parts: LegacyParts,
  request: LegacyCreateRequest,
  call: CallLimits,
): Promise<ShimTask> {
  refuseShimCgroup(request.options);
  const options = legacyOptions(parts.options, request.runtimeOptions);
  const bundle = Bundle.create(parts.roots, request, request.spec?.value);
  let shim: LegacyShim;
  try {
    if (options !== parts.options) keepOptions(bundle, options);
    shim = await startLegacyShim(parts, bundle, options);
  } catch (error) {
    bundle.delete();
    throw error;
  }
  return createOn(parts, shim, request, call);
}

/** Takes the shims of an earlier generation up again; those that do not answer are lost. Never rejects. */
export async function recoverLegacyTasks(parts: LegacyParts): Promise<void> {
  await recoverTasks(parts, async (_parts, bundle) => {
    const options = keptOptions(bundle, parts.options);
    const logs = LegacyLogs.open(bundle, { isKept: parts.isDebugged });
    try {
      const shim = await LegacyShim.connect(parts, bundle, options, { address: addressOf(bundle), logs });
      return await takeUp(parts, shim);
    } catch (error) {
      logs[Symbol.dispose]();
      const { namespace, id } = bundle;
      parts.log.warn("shim of an earlier generation cannot be taken up", { namespace, id, error: String(error) });
      await cleanUpLost(parts, bundle, new LegacyCleaner(bundle, options));
    }
  });
}

/** Shims of before containerd 1.3 listen on an abstract name, and have no file that says where. */
function addressOf(bundle: Bundle): string {
  const { namespace, id } = bundle;
  return bundle.readText("address") ?? join("/containerd-shim", namespace, id, "shim.sock");
}
