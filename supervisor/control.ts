import { runDaemon } from "./daemon.ts";
import { HolderLink } from "./links/holder-link.ts";

/** Entry of the control process; the holder starts it (holder/messages.ts says with which descriptors). */
process.on("SIGHUP", () => {});
process.on("SIGINT", () => {}); // an ordered stop comes from the holder
process.on("SIGTERM", () => {});
process.on("SIGPIPE", () => {});

const link = new HolderLink();
// At once, and nothing is stopped: packages go on, the next holder's control adopts them. Two controls never are.
void link.closed.then(() => process.exit(1));
process.exit(await runDaemon(link));
