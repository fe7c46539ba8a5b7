import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { unixListen } from "#linux";
import { debianRoot } from "../../../scripts/peers/folders.ts";
import { Child } from "../../harness/child.ts";

/** The descriptor of HAProxy's listener, which the test opens: there is no moment at which it does not listen. */
const listenerFd = 3;

/** Somebody else's HTTP/2 proxy between two unix sockets. Owns: its process. */
export interface Proxy extends AsyncDisposable {
  readonly socket: string;
  readonly pid: number;
}

/** HAProxy with one thread, HTTP/2 on both sides. */
export async function startHaproxy(folder: string, upstream: string): Promise<Proxy> {
  const socket = join(folder, "haproxy.sock");
  const file = join(folder, "haproxy.cfg");
  const lines = [
    "global",
    " nbthread 1",
    "defaults",
    " mode http",
    " timeout connect 5s",
    " timeout client 30s",
    " timeout server 30s",
    " http-reuse always",
    "listen calls",
    ` bind fd@${listenerFd} proto h2`,
    ` server one unix@${upstream} proto h2`,
    "",
  ];
  await writeFile(file, lines.join("\n"));
  const root = debianRoot("haproxy");
  const env = { ...process.env, LD_LIBRARY_PATH: join(root, "usr/lib/x86_64-linux-gnu") };
  const listener = unixListen(socket, { backlog: 1024, mode: 0o600 });
  const stdio = ["ignore", "ignore", "inherit", listener] as const;
  const child = spawn(join(root, "usr/sbin/haproxy"), ["-db", "-q", "-f", file], { env, stdio: [...stdio] });
  closeSync(listener);
  const exited = once(child, "exit");
  return {
    socket,
    pid: child.pid ?? 0,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/**
 * nginx with one process and `grpc_pass`. It has one call at a time on a connection to the upstream, keeps those, and
 * would end a client's connection after 1,000 calls.
 */
export async function startNginx(folder: string, upstream: string): Promise<Proxy> {
  const socket = join(folder, "nginx.sock");
  const temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${folder}/temp;`);
  await mkdir(join(folder, "temp"));
  const text = `daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr notice;
events { worker_connections 8192; }
http { access_log off; client_max_body_size 0; keepalive_requests 1000000000; ${temp.join(" ")}
  upstream one { server unix:${upstream}; keepalive 1024; keepalive_requests 1000000000; }
  server { listen unix:${socket} http2; location / { grpc_pass grpc://one; } } }
`;
  const file = join(folder, "nginx.conf");
  await writeFile(file, text);
  const child = new Child(join(debianRoot("nginx"), "usr/sbin/nginx"), ["-p", folder, "-c", file, "-e", "stderr"]);
  // Said after it listens.
  await child.output.waitFor(/ OS: /);
  return { socket, pid: child.pid, [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
}
