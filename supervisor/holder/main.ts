import { Signals } from "./signals.ts";

/** Entry of `bulkhead daemon`. Signals are taken before anything else is loaded. */
const signals = new Signals();
const { runDaemon } = await import("./run-daemon.ts");
const { findEntries } = await import("./entries.ts");
const [, script = "", ...args] = process.argv;
process.exit(await runDaemon({ args, env: process.env, entries: findEntries(script), signals }));
