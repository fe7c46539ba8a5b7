import { EchoServer } from "./echo-service.ts";
import { RawPeer } from "./raw-peer.ts";
import { service } from "./raw-route.ts";
import { row, RouterProcess } from "./router-process.ts";

/** A router with one package that echoes, and raw clients of it; `stack` owns everything. */
export async function startEchoRoute() {
  const stack = new AsyncDisposableStack();
  const router = stack.use(await RouterProcess.start());
  stack.use(await EchoServer.listen(router.socketPath("echo"), service));
  await router.apply({ packages: { echo: row(router.socketPath("echo")) }, routes: { [service]: "echo" } });
  const connect = async (): Promise<RawPeer> => {
    const peer = await RawPeer.client(router.mainSocket);
    stack.defer(() => peer.close());
    return peer;
  };
  return { stack, router, connect };
}
