/**
 * The router process: routes calls of the main socket and of host sockets to packages. Started by the holder with the
 * descriptors that `supervisor/holder/messages.ts` names. It outlives its holder and serves on; the next one takes it
 * over.
 */
import type { Socket } from "node:net";
import { mainListenerFd, type HolderToRouter } from "../holder/messages.ts";
import { callerOnMain } from "./callers.ts";
import { HolderLine } from "./holder-line.ts";
import { loadLinux } from "./load-linux.ts";
import { Router } from "./router.ts";

/** Of packages' host sockets, by package. */
const hostListeners = new Map<string, { readonly path: string; readonly fd: number }>();
let router: Router | undefined;

const holder = new HolderLine(onHolder, () => {
  // One that was never told to start holds nothing that a client could miss.
  if (router === undefined) process.exit(0);
});
// Ctrl-C reaches the whole group; the holder says when to stop.
process.on("SIGINT", () => {});
process.on("SIGHUP", () => {});
// Who read it may be gone with the holder.
process.stderr.on("error", () => {});

function onHolder(message: HolderToRouter): void {
  switch (message.type) {
    case "start":
      return start(message);
    case "host-listener":
      return listenForPackage(message.package, message.path);
    case "stop":
      return stop(message.timeoutMs);
    case "ping":
      return holder.send({ type: "pong", id: message.id });
  }
}

function start({ state, addresses }: Extract<HolderToRouter, { type: "start" }>): void {
  if (router !== undefined) return;
  const started = new Router({ stateFolder: state, addresses, onTakeOver });
  router = started;
  started.listen("the main socket", mainListenerFd, callerOnMain);
  started.start(() => {
    holder.send({ type: "ready" });
    loadLinux().settleAfterStart({ isIdle: () => started.isIdle, keepsSmall: true });
  });
}

function listenForPackage(packageName: string, path: string): void {
  const caller = { packageName, label: packageName };
  const fd = holder.receiveListener();
  hostListeners.set(packageName, { path, fd });
  router?.listen(`package ${packageName}`, fd, () => caller);
}

function onTakeOver(socket: Socket): void {
  const failed = (error: unknown): void => {
    process.stderr.write(`router: cannot be taken over: ${String(error)}\n`);
  };
  void holder
    .handOver(socket, hostListeners)
    .catch(failed)
    .finally(() => socket.destroy());
}

function stop(timeoutMs: number): void {
  if (router === undefined) process.exit(0);
  router.stop(timeoutMs, () => process.exit(0));
}
