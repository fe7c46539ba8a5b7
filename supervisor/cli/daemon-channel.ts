import { connect as connectSocket } from "node:net";
import { HostError } from "#proto/wire/errors.ts";
import type { Channel } from "#rpc";
import { connectGrpcJs } from "#rpc/grpc-js";
import { findSocket, type SocketName } from "./addresses.ts";
import { CommandFailure } from "./exit-codes.ts";
import type { GlobalFlags } from "./globals.ts";

/**
 * Runs `use` with a channel to one of the daemon's sockets and closes it. A failure becomes a CommandFailure that
 * says what was attempted, on what, why it failed and what to do.
 */
export async function withDaemon<T>(
  name: SocketName,
  globals: GlobalFlags,
  attempt: string,
  use: (channel: Channel) => Promise<T>,
): Promise<T> {
  const socket = await findSocket(name, globals);
  using channel = connectGrpcJs(socket);
  try {
    return await use(channel);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    throw new CommandFailure(`${attempt}: ${await explain(error, name, socket)}`, undefined, { cause: error });
  }
}

/** How a daemon is named whose socket that is. */
const namedBy: Readonly<Record<SocketName, string>> = {
  main: "its socket with --address",
  admin: "its state folder with --state",
};

/** The error's own text, unless the socket itself cannot be reached: then what to do about that. */
async function explain(error: HostError, name: SocketName, socket: string): Promise<string> {
  if (error.kind !== "unavailable") return error.message;
  switch (await connectError(socket)) {
    case undefined:
      return error.message;
    case "ENOENT":
    case "ECONNREFUSED":
      return `no daemon listens on ${socket}; start one with "bulkhead daemon", or name ${namedBy[name]}`;
    case "EACCES":
    case "EPERM":
      return `no permission to open ${socket}; use sudo or the daemon's user or group`;
    default:
      return `${socket}: ${error.message}`;
  }
}

/** The code with which connecting to a unix socket fails now; undefined: it works. */
function connectError(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connectSocket(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "unknown"));
  });
}
