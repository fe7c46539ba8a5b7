import type { ConfiguredLimits } from "../../../../supervisor/router/limits.ts";
import { RawPeer, RawServer } from "./raw-peer.ts";
import { emptyTable, row, RouterProcess } from "./router-process.ts";

export const service = "test.v1.Echo";
export const path = `/${service}/Unary`;

/** A router with one package made of raw frames, and clients of them. `stack` owns everything. */
export interface RawRoute {
  readonly stack: AsyncDisposableStack;
  readonly router: RouterProcess;
  readonly server: RawServer;
  /** A new client. */
  readonly connect: (socket?: string) => Promise<RawPeer>;
  /** A table with other limits. */
  readonly limit: (limits: Partial<ConfiguredLimits>) => Promise<void>;
}

/** A running one; calls of `path` go to its package. */
export async function startRawRoute(limits: Partial<ConfiguredLimits> = {}): Promise<RawRoute> {
  const stack = new AsyncDisposableStack();
  const router = stack.use(await RouterProcess.start());
  const server = stack.use(await RawServer.listen(router.socketPath("echo")));
  const table = { packages: { echo: row(router.socketPath("echo")) }, routes: { [service]: "echo" } };
  const limit = async (now: Partial<ConfiguredLimits>): Promise<void> =>
    router.apply({ ...table, limits: { ...emptyTable.limits, router: now } });
  await limit(limits);
  const connect = async (socket = router.mainSocket): Promise<RawPeer> => {
    const peer = await RawPeer.client(socket);
    stack.defer(() => peer.close());
    return peer;
  };
  return { stack, router, server, connect, limit };
}
