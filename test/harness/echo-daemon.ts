import { startBulkhead, type BulkheadDaemon } from "./bulkhead-daemon.ts";
import { packageFolder } from "./package-folder.ts";
import { makeTempFolder } from "./temp-folder.ts";

/** A daemon with the Go echo package, which may die as often as it likes. `repeats`: its calls may be asked again. */
export async function startEchoDaemon(options: {
  readonly repeats: boolean;
  /** Launcher; default: the checkout's. */
  readonly command?: string;
}): Promise<BulkheadDaemon> {
  const { repeats, command } = options;
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await makeTempFolder("st"));
  const edit = (manifest: string): string =>
    `${repeats ? manifest : manifest.replace(/^.*\/Say: .*\n/m, "")}\nrestart: { intensity: 0 }\n`;
  const config = await packageFolder(folder, { fixtures: [{ name: "go-echo", edit }] });
  const daemon = stack.use(await startBulkhead({ folder, config, ...(command === undefined ? {} : { command }) }));
  const owned = stack.move();
  return { ...daemon, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
