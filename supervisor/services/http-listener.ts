import { chmod, chown, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { dirname, isAbsolute } from "node:path";
import { makeFolderPath } from "#linux";
import { HostError } from "#proto/wire/errors.ts";

/** Answers one GET; aborted when the client goes away. A throw becomes an error page. */
export type HttpHandler = (url: URL, response: ServerResponse, signal: AbortSignal) => Promise<void> | void;

export interface HttpListenerOptions {
  /** Absolute path of a unix socket, else `host:port`. */
  readonly address: string;
  /** Owner of a unix socket. */
  readonly uid?: number;
  readonly gid?: number;
  /** By exact path. */
  readonly routes: ReadonlyMap<string, HttpHandler>;
}

/** Connections at once: people and one or two scrapers. */
const maxConnections = 64;

/** A small HTTP server for people and scrapers; paths without a route are 404. Owns: its socket and file. */
export class HttpListener implements AsyncDisposable {
  readonly #server: Server;
  readonly #socketFile: string | undefined;
  /** Where it listens: the socket's path, or host:port with the port that was given. */
  readonly address: string;

  private constructor(server: Server, socketFile: string | undefined) {
    this.#server = server;
    this.#socketFile = socketFile;
    const bound = server.address();
    this.address =
      typeof bound === "object" && bound !== null ? joinHostPort(bound.address, bound.port) : String(bound);
  }

  /** Throws invalid-argument for an address that is none, unavailable when it cannot be bound. */
  static async open(options: HttpListenerOptions): Promise<HttpListener> {
    const server = createServer({ requestTimeout: 10_000 }, (request, response) => {
      // Rejections end in an error page; answer itself never rejects.
      void answer(options.routes, request, response);
    });
    server.maxConnections = maxConnections;
    const unix = isAbsolute(options.address);
    try {
      if (unix) await listenUnix(server, options);
      else await listen(server, parseHostPort(options.address));
    } catch (cause) {
      if (cause instanceof HostError) throw cause;
      throw new HostError("unavailable", `listen on ${options.address}: ${(cause as Error).message}`, { cause });
    }
    return new HttpListener(server, unix ? options.address : undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
    if (this.#socketFile !== undefined) await rm(this.#socketFile, { force: true });
  }
}

/** Folder and modes as containerd's sys.GetLocalListener: 0770 when made, socket 0660. */
async function listenUnix(server: Server, { address, uid, gid }: HttpListenerOptions): Promise<void> {
  makeFolderPath(dirname(address), 0o770);
  await rm(address, { force: true });
  await listen(server, { path: address });
  await chmod(address, 0o660);
  if (process.getuid?.() === 0) await chown(address, uid ?? 0, gid ?? 0);
}

function listen(server: Server, where: { path: string } | { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(where, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function parseHostPort(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(":");
  const port = Number(address.slice(colon + 1));
  if (colon < 0 || !Number.isInteger(port) || port < 0 || port > 65535) {
    const text = `listen on "${address}": it is neither an absolute path nor host:port, like 127.0.0.1:1338`;
    throw new HostError("invalid-argument", text);
  }
  return { host: address.slice(0, colon).replace(/^\[(.*)\]$/, "$1"), port };
}

function joinHostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

async function answer(
  routes: HttpListenerOptions["routes"],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  try {
    const url = new URL(request.url ?? "/", "http://localhost");
    const handler = routes.get(url.pathname);
    if (handler === undefined) respondText(response, 404, "404 page not found\n");
    else await handler(url, response, gone.signal);
  } catch (error) {
    if (response.headersSent) response.destroy();
    else respondText(response, statusOf(error), `${(error as Error).message}\n`);
  }
}

function statusOf(error: unknown): number {
  if (!(error instanceof HostError)) return 500;
  const statuses: Partial<Record<HostError["kind"], number>> = {
    "invalid-argument": 400,
    "not-found": 404,
    "resource-exhausted": 429,
    unimplemented: 501,
    unavailable: 503,
  };
  return statuses[error.kind] ?? 500;
}

/** Answers a whole text. */
export function respondText(
  response: ServerResponse,
  status: number,
  text: string,
  contentType = "text/plain; charset=utf-8",
): void {
  response.writeHead(status, { "content-type": contentType, "x-content-type-options": "nosniff" });
  response.end(text);
}
