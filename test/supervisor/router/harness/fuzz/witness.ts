import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { clientPreface, defaultFrameBytes, errorCodes, frameTypes, maxWindowBytes } from "#proto/http2/constants.ts";
import { FrameWriter } from "#proto/http2/frame-writer.ts";
import { encodeHeaders } from "#proto/http2/hpack-encoder.ts";
import { within } from "../../../../harness/deadline.ts";
import { request } from "../raw-peer.ts";
import { markOf, marksIn } from "./marks.ts";
import { marksInFields, StrictReader } from "./strict-reader.ts";

interface Open {
  readonly ended: PromiseWithResolvers<WitnessAnswer>;
  readonly parts: Buffer[];
}

/** How a call ended. */
export interface WitnessAnswer {
  readonly body: Buffer;
  /** `grpc-status`; empty: none, or the stream was reset. */
  readonly status: string;
}

/**
 * A client that behaves, with all its calls on one connection: whatever a package answers to one of them, the connection
 * and the other calls go on. Owns: the connection.
 */
export class Witness implements Disposable {
  readonly #socket: Socket;
  readonly #writer = new FrameWriter();
  readonly #owner: number;
  readonly #calls = new Map<number, Open>();
  readonly #broken: (what: string) => void;
  #nextId = 1;
  #over = false;

  private constructor(socket: Socket, owner: number, broken: (what: string) => void) {
    this.#socket = socket;
    this.#owner = owner;
    this.#broken = (what) => broken(`a client that behaves got ${what}`);
    const reader = new StrictReader(
      {
        onHeaders: (streamId, fields, endStream) => {
          this.#mine(marksInFields(fields));
          if (endStream) this.#end(streamId, fields.find(({ name }) => name === "grpc-status")?.value ?? "");
        },
        onData: (streamId, payload, endStream) => {
          this.#mine(marksIn(payload));
          this.#calls.get(streamId)?.parts.push(payload);
          if (payload.length > 0) this.#writer.windowUpdate(0, payload.length);
          if (endStream) this.#end(streamId, "");
        },
        onReset: (streamId) => this.#end(streamId, ""),
        onOther: (type, frameFlags, _streamId, payload) => {
          if (type === frameTypes.goaway && payload.readUInt32BE(4) !== errorCodes.noError)
            this.#broken(`GOAWAY ${payload.readUInt32BE(4)}: ${payload.toString("latin1", 8)}`);
          if (type === frameTypes.settings && frameFlags === 0) this.#writer.settingsAck();
        },
      },
      (streamId) => streamId % 2 === 1 && streamId < this.#nextId,
      this.#broken,
    );
    socket.on("error", () => {});
    socket.on("data", (bytes: Buffer) => {
      reader.read(bytes);
      this.#flush();
    });
    socket.on("close", () => {
      if (!this.#over) this.#broken("its connection closed");
    });
    this.#writer.raw(clientPreface);
    this.#writer.settings({ initialWindowBytes: maxWindowBytes });
    this.#flush();
  }

  static async connect(path: string, owner: number, broken: (what: string) => void): Promise<Witness> {
    const socket = connect(path);
    await within("a client connects", once(socket, "connect"));
    return new Witness(socket, owner, broken);
  }

  /** One call with `body`, its own mark in it; resolves when it has ended, whatever the end. */
  async call(path: string, body: Buffer): Promise<WitnessAnswer> {
    const streamId = this.#nextId;
    this.#nextId += 2;
    const ended = Promise.withResolvers<WitnessAnswer>();
    this.#calls.set(streamId, { ended, parts: [] });
    const block = encodeHeaders(request(path, [["x-mark", markOf(this.#owner)]]));
    this.#writer.headers(streamId, block, false, defaultFrameBytes);
    this.#writer.data(streamId, body, 0, body.length, true);
    this.#flush();
    return ended.promise;
  }

  [Symbol.dispose](): void {
    this.#over = true;
    this.#socket.destroy();
  }

  #mine(owners: readonly number[]): void {
    for (const owner of owners) if (owner !== this.#owner) this.#broken(`bytes of caller ${owner}`);
  }

  #end(streamId: number, status: string): void {
    const call = this.#calls.get(streamId);
    if (call === undefined) return;
    this.#calls.delete(streamId);
    call.ended.resolve({ body: Buffer.concat(call.parts), status });
  }

  #flush(): void {
    if (this.#writer.length === 0) return;
    this.#socket.write(Buffer.from(this.#writer.bytes.subarray(0, this.#writer.length)));
    this.#writer.length = 0;
  }
}
