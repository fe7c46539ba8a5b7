import { startBulkhead, type BulkheadDaemon } from "./bulkhead-daemon.ts";
import { packageFolder } from "./package-folder.ts";
import { makeTempFolder } from "./temp-folder.ts";
import { stateInMemory } from "./tmpfs.ts";

/** A daemon with the Go echo package, which may die as often as it likes. `repeats`: its calls may be asked again. */
export async function startEchoDaemon(options: {
  readonly repeats: boolean;
  /** Launcher; default: the checkout's. */
  readonly command?: string;
  /** Its state is in memory. */
  readonly quickState?: boolean;
}): Promise<BulkheadDaemon> {
  const { repeats, command, quickState = false } = options;
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await makeTempFolder("st"));
  if (quickState) stack.use(await stateInMemory(folder));
  const edit = (manifest: string): string =>
    `${repeats ? manifest : manifest.replace(/^.*\/Say: .*\n/m, "")}\nrestart: { intensity: 0 }\n`;
  const config = await packageFolder(folder, { fixtures: [{ name: "go-echo", edit }] });
  const daemon = stack.use(await startBulkhead({ folder, config, ...(command === undefined ? {} : { command }) }));
  const owned = stack.move();
  return { ...daemon, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
