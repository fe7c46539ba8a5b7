import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { digestOf } from "./blobs.ts";

/** A registry of one repository on loopback, as far as `ctr content fetch` and `push-object` go. Owns: its listener. */
export interface Registry extends AsyncDisposable {
  /** Reference of the image, `host:port/repository:tag`. */
  readonly image: string;
  readonly repository: string;
  /** Digests that were pushed, in order. */
  readonly pushed: string[];
}

export interface RegistryContent {
  readonly manifest: string;
  readonly manifestType: string;
  /** By digest. */
  readonly blobs: ReadonlyMap<string, string>;
}

/** Serves one image. */
export async function startRegistry({ manifest, manifestType, blobs }: RegistryContent): Promise<Registry> {
  const pushed: string[] = [];
  const digest = digestOf(manifest);
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://registry");
    const [, kind, name = ""] = /^\/v2\/test\/(manifests|blobs)\/(.*)$/.exec(pathname) ?? [];
    if (request.method === "POST") return answer(response, 202, { location: `${pathname}session` });
    if (request.method === "PUT") return void take(request, response, searchParams.get("digest") ?? "");
    if (kind === "manifests" && ["one", digest].includes(name)) {
      return answer(response, 200, { "content-type": manifestType, "docker-content-digest": digest }, manifest);
    }
    const blob = blobs.get(name);
    if (kind === "blobs" && blob !== undefined) return answer(response, 200, {}, blob);
    answer(response, 404, {});
  });
  const take = async (request: IncomingMessage, response: ServerResponse, named: string) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const actual = digestOf(Buffer.concat(chunks));
    pushed.push(actual);
    answer(response, actual === named ? 201 : 400, { "docker-content-digest": actual });
  };
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const host = `localhost:${(server.address() as AddressInfo).port}`;
  return {
    image: `${host}/test:one`,
    repository: `${host}/test`,
    pushed,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function answer(response: ServerResponse, status: number, headers: Record<string, string>, body = ""): void {
  response.writeHead(status, { "content-length": Buffer.byteLength(body), ...headers });
  response.end(response.req.method === "HEAD" ? "" : body);
}
