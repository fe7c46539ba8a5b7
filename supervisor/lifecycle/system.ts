import { readFileSync } from "node:fs";
import { type Clock, realClock } from "../clock.ts";
import type { InstanceProcess } from "../process/instance-process.ts";
import { OutputLog } from "../process/output-log.ts";
import { linuxProcesses, type ProcessTable } from "../process/process-table.ts";
import { type SocketFiles, socketFiles } from "../process/socket-files.ts";
import { InstanceClient, type InstanceCalls } from "./instance-client.ts";
import { startProcess, type StartRequest } from "./start-process.ts";

/** All that supervision takes from the machine it runs on; a simulation has a machine of its own. */
export interface System {
  readonly clock: Clock;
  readonly processes: ProcessTable;
  readonly sockets: SocketFiles;
  /** Starts a process. Throws when the command is nowhere, or the system cannot start it. */
  start(request: StartRequest): InstanceProcess;
  /** Goes on reading what an instance of an earlier control writes. */
  openOutput(path: string, onLine: (line: string) => void): Pick<OutputLog, "lastLines" | "close">;
  /** The host's own calls to what listens on a socket. */
  connect(socket: string): InstanceCalls;
  /** Whether a debugger holds a process, so that its silence says nothing. */
  isDebugged(pid: number): boolean;
}

/** This machine. */
export const linuxSystem: System = {
  clock: realClock,
  processes: linuxProcesses,
  sockets: socketFiles,
  start: startProcess,
  openOutput(path, onLine) {
    const output = new OutputLog(path, onLine);
    output.handOver();
    return output;
  },
  connect: (socket) => new InstanceClient(socket),
  isDebugged(pid) {
    try {
      const tracer = /^TracerPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
      return tracer !== undefined && tracer !== "0";
    } catch {
      return false; // it has ended
    }
  },
};
