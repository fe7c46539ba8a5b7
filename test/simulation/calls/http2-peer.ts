import { clientPreface, defaultFrameBytes, errorCodes, flags, frameTypes } from "#proto/http2/constants.ts";
import { FrameReader, readUint32, type FrameSink } from "#proto/http2/frame-reader.ts";
import { FrameWriter } from "#proto/http2/frame-writer.ts";
import { HpackDecoder } from "#proto/http2/hpack-decoder.ts";
import { encodeHeaders } from "#proto/http2/hpack-encoder.ts";
import type { Transport, TransportEvents } from "../../../supervisor/router/transport.ts";

/** What the far end of a connection does. */
export interface PeerEvents {
  onHeaders(streamId: number, headers: ReadonlyMap<string, string>, endStream: boolean): void;
  onData(streamId: number, endStream: boolean): void;
  onReset(streamId: number, code: number): void;
  onClosed(): void;
}

const tableBytes = 4096;

/** A small HTTP/2 endpoint of the simulation: client of the router, or server behind it. Owns: the transport. */
export class Http2Peer implements TransportEvents, FrameSink {
  ended = false;
  readonly #transport: Transport;
  readonly #events: PeerEvents;
  readonly #writer = new FrameWriter();
  readonly #reader = new FrameReader(defaultFrameBytes);
  readonly #decoder = new HpackDecoder(tableBytes);
  #prefaceBytes: number;

  constructor(transport: Transport, role: "client" | "server", streams: number, events: PeerEvents) {
    this.#transport = transport;
    this.#events = events;
    this.#prefaceBytes = role === "server" ? clientPreface.length : 0;
    if (role === "client") this.#writer.raw(clientPreface);
    this.#writer.settings(role === "server" ? { maxConcurrentStreams: streams } : {});
    this.#flush();
    transport.start(this);
  }

  headers(streamId: number, headers: readonly (readonly [string, string])[], endStream: boolean): void {
    this.#writer.headers(streamId, encodeHeaders(headers), endStream, defaultFrameBytes);
    this.#flush();
  }

  data(streamId: number, bytes: Buffer, endStream: boolean): void {
    this.#writer.data(streamId, bytes, 0, bytes.length, endStream);
    this.#flush();
  }

  reset(streamId: number): void {
    this.#writer.rstStream(streamId, errorCodes.cancel);
    this.#flush();
  }

  close(): void {
    this.#transport.destroy();
  }

  onBytes(bytes: Buffer, length: number): void {
    const skipped = Math.min(length, this.#prefaceBytes);
    this.#prefaceBytes -= skipped;
    this.#reader.read(bytes, skipped, length, this);
  }

  onWritable(): void {}

  onEnd(): void {}

  onClosed(): void {
    if (this.ended) return;
    this.ended = true;
    this.#events.onClosed();
  }

  onFrame(type: number, frameFlags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    const endStream = (frameFlags & flags.endStream) !== 0;
    switch (type) {
      case frameTypes.settings:
        if ((frameFlags & flags.ack) !== 0) return;
        this.#writer.settingsAck();
        return this.#flush();
      case frameTypes.ping:
        if ((frameFlags & flags.ack) !== 0) return;
        this.#writer.ping(bytes, start, true);
        return this.#flush();
      case frameTypes.headers: {
        const fields = this.#decoder.decode(bytes, start, end);
        return this.#events.onHeaders(streamId, new Map(fields.map(({ name, value }) => [name, value])), endStream);
      }
      case frameTypes.data:
        return this.#events.onData(streamId, endStream);
      case frameTypes.rstStream:
        return this.#events.onReset(streamId, readUint32(bytes, start));
      default:
    }
  }

  #flush(): void {
    const { bytes, length } = this.#writer;
    this.#transport.write(bytes, length);
    this.#writer.replace(Buffer.alloc(0));
  }
}
