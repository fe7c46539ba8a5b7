import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { LineWatch } from "./line-watch.ts";

/** For a test's `skip` option: Node has no datagram sockets of the unix family, Python has. */
export const withoutNotifySocket: string | false =
  spawnSync("python3", ["-V"]).status === 0 ? false : "needs python3 for a datagram socket";

const receiver = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound", flush=True)
while True: print(s.recv(100).decode(), flush=True)
`;

/** A service manager's socket, as NOTIFY_SOCKET names it. Owns: the process that listens. */
export interface NotifySocket extends AsyncDisposable {
  /** A line for each message. */
  readonly heard: LineWatch;
}

/** Listens on a path; resolves when it does. */
export async function openNotifySocket(path: string): Promise<NotifySocket> {
  const manager = spawn("python3", ["-c", receiver, path], { stdio: ["ignore", "pipe", "inherit"] });
  const heard = new LineWatch(manager.stdout);
  await heard.waitFor(/bound/);
  return {
    heard,
    [Symbol.asyncDispose]: async () => {
      manager.kill();
      await once(manager, "exit");
    },
  };
}
