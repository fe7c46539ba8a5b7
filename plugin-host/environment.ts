import { HostError } from "#proto/wire/errors.ts";

/** Where the host does not say; containerd's default both ways. */
const defaultMessageBytes = 16 * 1024 * 1024;

/** What the host tells a package by environment (plugin contract, section 3). */
export interface Environment {
  readonly package: string;
  readonly folder: string;
  readonly generation: bigint;
  /** Path to listen on. */
  readonly socket: string;
  /** gRPC target of the host. */
  readonly host: string;
  readonly logLevel: string;
  /** Bytes of one message that may come in, and go out. */
  readonly maxRecvMessageBytes: number;
  readonly maxSendMessageBytes: number;
  /** Descriptor that takes the readiness newline. */
  readonly readyFd: number | undefined;
  readonly ttrpcListenerFd: number | undefined;
}

/** Reads it; throws failed-precondition naming a variable that is missing. */
export function readEnvironment(env: NodeJS.ProcessEnv): Environment {
  const wanted = (name: string): string => {
    const value = env[name];
    if (value === undefined || value === "") {
      throw new HostError("failed-precondition", `${name} is not set: plugin-host is started by the bulkhead daemon`);
    }
    return value;
  };
  return {
    package: wanted("BULKHEAD_PACKAGE"),
    folder: wanted("BULKHEAD_PACKAGE_DIR"),
    generation: BigInt(wanted("BULKHEAD_GENERATION")),
    socket: wanted("BULKHEAD_SOCKET"),
    host: wanted("BULKHEAD_HOST"),
    logLevel: env["BULKHEAD_LOG_LEVEL"] ?? "info",
    maxRecvMessageBytes: number(env["BULKHEAD_MAX_RECV_MESSAGE_BYTES"]) ?? defaultMessageBytes,
    maxSendMessageBytes: number(env["BULKHEAD_MAX_SEND_MESSAGE_BYTES"]) ?? defaultMessageBytes,
    readyFd: number(env["BULKHEAD_READY_FD"]),
    ttrpcListenerFd: number(env["BULKHEAD_LISTEN_TTRPC_FD"]),
  };
}

function number(text: string | undefined): number | undefined {
  return text === undefined || text === "" ? undefined : Number(text);
}
