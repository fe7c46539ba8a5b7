import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import {
  clientPreface,
  defaultFrameBytes,
  defaultWindowBytes,
  errorCodes,
  frameTypes,
  settingIds,
} from "#proto/http2/constants.ts";
import { encodeHeaders } from "#proto/http2/hpack-encoder.ts";
import { FrameWriter } from "#proto/http2/frame-writer.ts";
import { answer, ok } from "../raw-peer.ts";
import { marksIn } from "./marks.ts";
import { marksInFields, StrictReader } from "./strict-reader.ts";

interface Echo {
  /** Whose bytes they are, by the first mark. */
  owner: number | undefined;
  /** Still to be sent. */
  bytes: Buffer;
  window: number;
  /** The request is whole. */
  ended: boolean;
  /** Headers are out. */
  answering: boolean;
}

/**
 * A package that behaves: it sends a request's bytes back, within its windows, and sees to it that the router keeps the
 * protocol, ends no connection and mixes no callers. Owns: the listener and its connections.
 */
export class Mirror implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Calls that were answered in full. */
  answered = 0;
  #over = false;

  private constructor(broken: (what: string) => void) {
    const report = (what: string): void => broken(`a package that behaves got ${what}`);
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      const connection = new MirrorConnection(socket, report, () => this.answered++);
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#sockets.delete(socket);
        if (!this.#over && !connection.dismissed) report("its connection closed");
      });
      socket.on("data", (bytes: Buffer) => connection.read(bytes));
    });
  }

  static async listen(path: string, broken: (what: string) => void): Promise<Mirror> {
    const mirror = new Mirror(broken);
    mirror.#server.listen(path);
    await once(mirror.#server, "listening");
    return mirror;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true;
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}

class MirrorConnection {
  readonly #socket: Socket;
  readonly #writer = new FrameWriter();
  readonly #reader: StrictReader;
  readonly #echoes = new Map<number, Echo>();
  readonly #broken: (what: string) => void;
  readonly #onAnswered: () => void;
  #window = defaultWindowBytes;
  #initialWindow = defaultWindowBytes;
  #begun = 0;
  /** The router said that it needs the connection no more: its stream ids or its resets are used up. */
  dismissed = false;

  constructor(socket: Socket, broken: (what: string) => void, onAnswered: () => void) {
    this.#socket = socket;
    this.#broken = broken;
    this.#onAnswered = onAnswered;
    this.#reader = new StrictReader(
      {
        onHeaders: (streamId, fields, endStream) => {
          const echo = this.#echoOf(streamId);
          for (const owner of marksInFields(fields)) this.#own(echo, owner);
          if (endStream) echo.ended = true;
        },
        onData: (streamId, payload, endStream) => this.#onData(streamId, payload, endStream),
        onReset: (streamId) => this.#echoes.delete(streamId),
        onOther: (type, frameFlags, streamId, payload) => this.#onOther(type, frameFlags, streamId, payload),
      },
      (streamId, reset) => streamId % 2 === 1 && streamId <= this.#begun + (reset ? 0 : 2),
      broken,
      clientPreface.length,
    );
    this.#writer.settings({ maxConcurrentStreams: 1000 });
    this.#flush();
  }

  read(bytes: Buffer): void {
    this.#reader.read(bytes);
    for (const [streamId, echo] of this.#echoes) this.#pump(streamId, echo);
    this.#flush();
  }

  #echoOf(streamId: number): Echo {
    const known = this.#echoes.get(streamId);
    if (known !== undefined) return known;
    if (streamId <= this.#begun) this.#broken(`stream ${streamId} a second time`);
    this.#begun = streamId;
    const echo: Echo = {
      owner: undefined,
      bytes: Buffer.alloc(0),
      window: this.#initialWindow,
      ended: false,
      answering: false,
    };
    this.#echoes.set(streamId, echo);
    return echo;
  }

  #own(echo: Echo, owner: number): void {
    echo.owner ??= owner;
    if (owner !== echo.owner) this.#broken(`bytes of caller ${owner} in a call of caller ${echo.owner}`);
  }

  #onData(streamId: number, payload: Buffer, endStream: boolean): void {
    if (payload.length > 0) {
      this.#writer.windowUpdate(0, payload.length);
      if (!endStream) this.#writer.windowUpdate(streamId, payload.length);
    }
    const echo = this.#echoes.get(streamId);
    if (echo === undefined) return;
    for (const owner of marksIn(payload)) this.#own(echo, owner);
    echo.bytes = Buffer.concat([echo.bytes, payload]);
    if (endStream) echo.ended = true;
  }

  #onOther(type: number, frameFlags: number, streamId: number, payload: Buffer): void {
    if (type === frameTypes.goaway) {
      const code = payload.readUInt32BE(4);
      if (code === errorCodes.noError) this.dismissed = true;
      else this.#broken(`GOAWAY ${code}: ${payload.toString("latin1", 8)}`);
    } else if (type === frameTypes.ping && frameFlags === 0) {
      this.#writer.ping(payload, 0, true);
    } else if (type === frameTypes.windowUpdate) {
      const echo = this.#echoes.get(streamId);
      if (streamId === 0) this.#window += payload.readUInt32BE(0);
      else if (echo !== undefined) echo.window += payload.readUInt32BE(0);
    } else if (type === frameTypes.settings && frameFlags === 0) {
      for (let at = 0; at < payload.length; at += 6) {
        if (payload.readUInt16BE(at) === settingIds.initialWindowSize)
          this.#initialWindow = payload.readUInt32BE(at + 2);
      }
      this.#writer.settingsAck();
    }
  }

  /** Answers once the request is whole: its bytes back, then the end. */
  #pump(streamId: number, echo: Echo): void {
    if (!echo.ended) return;
    if (!echo.answering) this.#writer.headers(streamId, encodeHeaders(answer), false, defaultFrameBytes);
    echo.answering = true;
    while (echo.bytes.length > 0) {
      const length = Math.min(echo.bytes.length, echo.window, this.#window, defaultFrameBytes);
      if (length <= 0) return;
      this.#writer.data(streamId, echo.bytes, 0, length, false);
      echo.bytes = echo.bytes.subarray(length);
      echo.window -= length;
      this.#window -= length;
    }
    this.#writer.headers(streamId, encodeHeaders(ok), true, defaultFrameBytes);
    this.#echoes.delete(streamId);
    this.#onAnswered();
  }

  #flush(): void {
    if (this.#writer.length === 0) return;
    this.#socket.write(Buffer.from(this.#writer.bytes.subarray(0, this.#writer.length)));
    this.#writer.length = 0;
  }
}
