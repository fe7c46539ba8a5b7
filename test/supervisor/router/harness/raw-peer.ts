import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { clientPreface, errorCodes, flags, frameTypes } from "#proto/http2/constants.ts";
import { FrameReader } from "#proto/http2/frame-reader.ts";
import { FrameWriter } from "#proto/http2/frame-writer.ts";
import { HpackDecoder } from "#proto/http2/hpack-decoder.ts";
import { encodeHeaders } from "#proto/http2/hpack-encoder.ts";
import { defaultDeadlineMs } from "../../../harness/deadline.ts";
import { Mailbox } from "./mailbox.ts";

/** A frame as it came; HEADERS with their fields. */
export interface RawFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/** One end of a connection that says just what a test wants it to say. Owns: the socket. */
export class RawPeer {
  readonly socket: Socket;
  readonly frames = new Mailbox<RawFrame>(defaultDeadlineMs);
  readonly writer = new FrameWriter();
  readonly closed: Promise<void>;
  /** Takes the frames instead of `frames`. */
  onFrame: ((frame: RawFrame) => void) | undefined;
  readonly #reader = new FrameReader(1 << 24);
  readonly #decoder = new HpackDecoder(4096);
  #skip: number;

  constructor(socket: Socket, skip: number) {
    this.socket = socket;
    this.#skip = skip;
    this.closed = new Promise((resolve) => socket.once("close", () => resolve()));
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
  }

  /** A client that has sent preface and SETTINGS. */
  static async client(path: string, settings: Parameters<FrameWriter["settings"]>[0] = {}): Promise<RawPeer> {
    const peer = await RawPeer.silentClient(path);
    peer.writer.raw(clientPreface);
    peer.writer.settings(settings);
    peer.flush();
    return peer;
  }

  /** A client that has sent nothing. */
  static async silentClient(path: string): Promise<RawPeer> {
    const socket = connect(path);
    await once(socket, "connect");
    return new RawPeer(socket, 0);
  }

  flush(): void {
    this.socket.write(Buffer.from(this.writer.bytes.subarray(0, this.writer.length)));
    this.writer.length = 0;
  }

  headers(streamId: number, headers: readonly (readonly [string, string])[], endStream: boolean): void {
    this.writer.headers(streamId, encodeHeaders(headers), endStream, 16_384);
    this.flush();
  }

  data(streamId: number, text: string | Buffer, endStream: boolean): void {
    const bytes = Buffer.from(text as string);
    this.writer.data(streamId, bytes, 0, bytes.length, endStream);
    this.flush();
  }

  reset(streamId: number, code: number): void {
    this.writer.rstStream(streamId, code);
    this.flush();
  }

  /** Any bytes. */
  raw(bytes: Buffer): void {
    this.socket.write(bytes);
  }

  /** One frame with any contents. */
  frame(type: number, frameFlags: number, streamId: number, payload: Buffer): void {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head[3] = type;
    head[4] = frameFlags;
    head.writeUInt32BE(streamId, 5);
    this.raw(Buffer.concat([head, payload]));
  }

  /** The next frame of that type, on that stream if one is named; others stay. */
  async next(type: number, streamId?: number): Promise<RawFrame> {
    return this.frames.take((frame) => frame.type === type && (streamId === undefined || frame.streamId === streamId));
  }

  /** Answers the next PING, as a peer does that has read all before it. */
  async answerPing(): Promise<void> {
    this.writer.ping((await this.next(frameTypes.ping)).payload, 0, true);
    this.flush();
  }

  /** Last stream of the next GOAWAY. */
  async lastStream(): Promise<number> {
    return (await this.next(frameTypes.goaway)).payload.readUInt32BE(0);
  }

  /** Code of the next GOAWAY. */
  async goaway(): Promise<number> {
    return (await this.next(frameTypes.goaway)).payload.readUInt32BE(4);
  }

  /** Code of the next RST_STREAM on that stream. */
  async resetCode(streamId: number): Promise<number> {
    return (await this.next(frameTypes.rstStream, streamId)).payload.readUInt32BE(0);
  }

  close(): void {
    this.socket.destroy();
  }

  #read(chunk: Buffer): void {
    const start = Math.min(this.#skip, chunk.length);
    this.#skip -= start;
    this.#reader.read(chunk, start, chunk.length, {
      ended: false,
      onFrame: (type, frameFlags, streamId, bytes, from, to) => {
        const payload = Buffer.from(bytes.subarray(from, to));
        const headers: Record<string, string> = {};
        if (type === frameTypes.headers) {
          for (const field of this.#decoder.decode(payload, 0, payload.length)) headers[field.name] = field.value;
        }
        const frame = { type, flags: frameFlags, streamId, payload, headers };
        if (this.onFrame === undefined) this.frames.put(frame);
        else this.onFrame(frame);
      },
    });
  }
}

/** A package made of raw frames. Owns: the listener and its connections. */
export class RawServer implements AsyncDisposable {
  readonly connections = new Mailbox<RawPeer>(defaultDeadlineMs);
  readonly #server: Server;
  readonly #peers: RawPeer[] = [];

  private constructor(settings: Parameters<FrameWriter["settings"]>[0], onPeer: (peer: RawPeer) => void) {
    this.#server = createServer((socket) => {
      const peer = new RawPeer(socket, clientPreface.length);
      peer.writer.settings(settings);
      peer.flush();
      this.#peers.push(peer);
      this.connections.put(peer);
      onPeer(peer);
    });
  }

  /** `onPeer` is given each connection as soon as it is there. */
  static async listen(
    path: string,
    settings: Parameters<FrameWriter["settings"]>[0] = {},
    onPeer: (peer: RawPeer) => void = () => {},
  ): Promise<RawServer> {
    const server = new RawServer(settings, onPeer);
    server.#server.listen(path);
    await once(server.#server, "listening");
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.#peers) peer.close();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, "close");
  }
}

/** Headers of a gRPC request. */
export function request(path: string, more: readonly (readonly [string, string])[] = []): [string, string][] {
  return [
    [":method", "POST"],
    [":scheme", "http"],
    [":path", path],
    [":authority", "localhost"],
    ["content-type", "application/grpc"],
    ["te", "trailers"],
    ...more.map(([name, value]): [string, string] => [name, value]),
  ];
}

/** Headers of a gRPC answer. */
export const answer: readonly (readonly [string, string])[] = [
  [":status", "200"],
  ["content-type", "application/grpc"],
];
/** Trailers of a call that went well. */
export const ok: readonly (readonly [string, string])[] = [["grpc-status", "0"]];

export { errorCodes, flags, frameTypes };
