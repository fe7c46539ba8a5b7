import { boundPath, isListening, notifySystemd, setCloexec } from "#linux";
import type { Config, SocketConfig } from "../config/config.ts";
import type { HolderLog } from "./holder-log.ts";
import { StartFailure } from "./start-failure.ts";

/** First descriptor of socket activation (sd_listen_fds(3)). */
const firstListenFd = 3;

/** Listeners that systemd opened for us; the receiver owns them. */
export interface InheritedListeners {
  readonly main: number | undefined;
  readonly ttrpc: number | undefined;
}

/**
 * Takes over the sockets of LISTEN_FDS: the one named "ttrpc" (FileDescriptorName=), and for the main socket the first
 * other. Throws StartFailure when one is no listening socket.
 */
export function takeInheritedListeners(env: NodeJS.ProcessEnv, pid: number): InheritedListeners {
  const count = env["LISTEN_PID"] === String(pid) ? Number(env["LISTEN_FDS"] ?? 0) : 0;
  if (!Number.isInteger(count) || count <= 0) return { main: undefined, ttrpc: undefined };
  const names = (env["LISTEN_FDNAMES"] ?? "").split(":");
  const found: { main: number | undefined; ttrpc: number | undefined } = { main: undefined, ttrpc: undefined };
  for (let index = 0; index < count; index += 1) {
    const fd = firstListenFd + index;
    requireListener(fd, names[index] ?? "");
    const key = names[index] === "ttrpc" ? "ttrpc" : "main";
    found[key] ??= fd;
  }
  return found;
}

function requireListener(fd: number, name: string): void {
  try {
    setCloexec(fd, true);
    if (isListening(fd)) return;
  } catch (error) {
    throw notListening(fd, name, error);
  }
  throw notListening(fd, name, undefined);
}

function notListening(fd: number, name: string, cause: unknown): StartFailure {
  const advice = "use ListenStream= with a path in the systemd socket unit";
  return new StartFailure(`descriptor ${fd} (${name}) of LISTEN_FDS is not a listening socket; ${advice}`, { cause });
}

/** The config with the addresses that systemd's listeners really have; those it did not pass stay as they are. */
export function withInheritedAddresses(config: Config, env: NodeJS.ProcessEnv, pid: number): Config {
  const { main, ttrpc } = takeInheritedListeners(env, pid);
  const moved = (socket: SocketConfig, fd: number | undefined): SocketConfig => {
    const address = fd === undefined ? undefined : boundPath(fd);
    return address === undefined ? socket : { ...socket, address };
  };
  return { ...config, grpc: { ...config.grpc, ...moved(config.grpc, main) }, ttrpc: moved(config.ttrpc, ttrpc) };
}

/** Variables that are the holder's alone: a child that had them would speak to systemd in our name. */
const ownVariables = /^(NOTIFY_SOCKET|WATCHDOG_.*|LISTEN_.*|NODE_OPTIONS)$/;

/** The environment of control and router. */
export function childEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !ownVariables.test(name)));
}

/**
 * Speaks to the service manager: READY, STOPPING, and WATCHDOG at half its interval. Without one it does nothing.
 * Owns: the watchdog timer.
 */
export class ServiceManager implements Disposable {
  readonly #socket: string | undefined;
  readonly #log: HolderLog;
  readonly #watchdog: NodeJS.Timeout | undefined;

  constructor(env: NodeJS.ProcessEnv, log: HolderLog) {
    this.#socket = env["NOTIFY_SOCKET"];
    this.#log = log;
    const intervalMs = Number(env["WATCHDOG_USEC"] ?? 0) / 2000;
    const ours = env["WATCHDOG_PID"] === undefined || env["WATCHDOG_PID"] === String(process.pid);
    if (!ours || !(intervalMs > 0) || this.#socket === undefined) return;
    this.#watchdog = setInterval(() => this.notify("WATCHDOG=1"), intervalMs);
  }

  /** Sends a state; failure is only logged. */
  notify(state: "READY=1" | "STOPPING=1" | "WATCHDOG=1"): void {
    try {
      if (notifySystemd(this.#socket, state)) this.#log.debug("sd notification", { state });
    } catch (error) {
      this.#log.warn("sd notification failed", { state, error: String(error) });
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#watchdog);
  }
}
