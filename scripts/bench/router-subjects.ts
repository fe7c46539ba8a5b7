import { startHaproxy, startNginx } from "../../test/conformance/harness/proxies.ts";
import { findEntries, routerEnvironment } from "../../supervisor/holder/entries.ts";
import { row, RouterProcess } from "../../test/supervisor/router/harness/router-process.ts";
import { startHopServer } from "./hop-load.ts";
import { makePacked } from "./packed.ts";

const service = "acme.hop.v1.Hop";

export const subjectNames = ["direct", "router", "haproxy", "nginx"] as const;
export type SubjectName = (typeof subjectNames)[number];

/** A way to the same server. */
export interface Subject {
  readonly name: SubjectName;
  readonly socket: string;
  /** Process in the middle; 0: none. */
  readonly pid: number;
}

/** All ways at once; idle ones cost nothing. Owns: their processes. */
export interface Subjects extends AsyncDisposable {
  readonly all: readonly Subject[];
}

/** Starts the server, our router as an installed holder would start it, HAProxy and nginx. */
export async function startSubjects(): Promise<Subjects> {
  await using owned = new AsyncDisposableStack();
  const packed = owned.use(await makePacked());
  const words = findEntries(packed.holder).router;
  const nodeFlags = [...words.slice(0, -1), ...extraFlags()];
  const router = owned.use(await RouterProcess.start({ nodeFlags, env: routerEnvironment, main: words.at(-1) ?? "" }));
  const upstream = router.socketPath("hop");
  owned.use(await startHopServer(upstream));
  await router.apply({ packages: { hop: row(upstream) }, routes: { [service]: "hop" } });
  const haproxy = owned.use(await startHaproxy(router.folder, upstream));
  const nginx = owned.use(await startNginx(router.folder, upstream));
  const all: readonly Subject[] = [
    { name: "direct", socket: upstream, pid: 0 },
    { name: "router", socket: router.mainSocket, pid: router.child.pid ?? 0 },
    { name: "haproxy", socket: haproxy.socket, pid: haproxy.pid },
    { name: "nginx", socket: nginx.socket, pid: nginx.pid },
  ];
  const stack = owned.move();
  return { all, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** Flags for the router's node beside those of the holder, to profile it or try one. */
function extraFlags(): readonly string[] {
  return (process.env["BULKHEAD_BENCH_ROUTER_FLAGS"] ?? "").split(" ").filter((flag) => flag !== "");
}
