import { flags, frameTypes } from "#proto/http2/constants.ts";
import { encodeHeaders } from "#proto/http2/hpack-encoder.ts";
import type { numbersFrom } from "../../../../differential/chance.ts";
import { answer, ok, request } from "../raw-peer.ts";
import { uint32, type Frame } from "./frames.ts";
import type { Recordings } from "./recordings.ts";

/** Gives 0 to `below` - 1. */
export type Chance = ReturnType<typeof numbersFrom>;

export function pick<T>(next: Chance, values: readonly T[]): T {
  return values[next(values.length)] as T;
}

export function noise(next: Chance, bytes: number): Buffer {
  return Buffer.from(Array.from({ length: bytes }, () => next(256)));
}

/** Numbers at which something changes. */
const edges = [0, 1, 9, 16_383, 16_384, 65_535, 65_536, 2 ** 24 - 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];

/** What a client sends after its preface, before it is damaged: a recording, or frames made up for `paths`. */
export function clientFrames(next: Chance, recordings: Recordings, paths: readonly string[], mark: string): Frame[] {
  if (next(3) === 0) return marked(pick(next, recordings.clients), mark);
  const frames: Frame[] = [settings(next)];
  for (let streamId = 1, calls = 1 + next(next(3) === 0 ? 60 : 8); calls > 0; calls--, streamId += 2) {
    const fields = request(pick(next, paths), [
      ["x-mark", mark],
      ...(next(3) === 0 ? ([["grpc-timeout", `${next(2000)}m`]] as const) : []),
      ...(next(20) === 0 ? ([["content-length", String(next(60))]] as const) : []),
    ]);
    frames.push(headers(streamId, encodeHeaders(fields), next(4) === 0));
    for (let parts = next(3); parts > 0; parts--) frames.push(data(streamId, messageOf(next, mark), false));
    if (next(4) > 0) frames.push(data(streamId, messageOf(next, mark), true));
    else if (next(2) === 0) frames.push(headers(streamId, encodeHeaders([["x-mark", mark]]), true));
    if (next(3) === 0) frames.push(aside(next, streamId));
  }
  return frames;
}

/** What a package answers on `streamId`, before it is damaged; its bytes carry `mark`. */
export function answerFrames(next: Chance, recordings: Recordings, streamId: number, mark: string): Frame[] {
  if (next(3) === 0) {
    const recorded = marked(pick(next, recordings.servers), mark);
    const streams = [...new Set(recorded.map((frame) => frame.streamId))].filter((id) => id > 0);
    const wanted = pick(next, streams);
    return recorded.filter((frame) => frame.streamId === wanted).map((frame) => ({ ...frame, streamId }));
  }
  const frames: Frame[] = [];
  if (next(6) === 0) frames.push(headers(streamId, encodeHeaders([[":status", "103"]]), false));
  frames.push(headers(streamId, encodeHeaders([...answer, ["x-mark", mark]]), next(6) === 0));
  for (let parts = next(4); parts > 0; parts--) frames.push(data(streamId, messageOf(next, mark), false));
  if (next(3) === 0) frames.push(aside(next, streamId));
  if (next(8) > 0) frames.push(headers(streamId, encodeHeaders(ok), true));
  return frames;
}

/** A recording's DATA with the sender's mark in it. */
function marked(frames: readonly Frame[], mark: string): Frame[] {
  return frames.map((frame) =>
    frame.type === frameTypes.data && frame.payload.length > 0
      ? { ...frame, payload: Buffer.concat([frame.payload, Buffer.from(mark)]) }
      : frame,
  );
}

function messageOf(next: Chance, mark: string): Buffer {
  const body = Buffer.from(mark.repeat(1 + next(next(10) === 0 ? 600 : 4)));
  return Buffer.concat([Buffer.from([0]), uint32(body.length), body]);
}

/** A frame beside the call itself. */
function aside(next: Chance, streamId: number): Frame {
  const onStream = { flags: 0, streamId };
  switch (next(7)) {
    case 0:
      return { type: frameTypes.windowUpdate, ...onStream, payload: uint32(pick(next, edges)) };
    case 1:
      return { type: frameTypes.windowUpdate, flags: 0, streamId: 0, payload: uint32(1 + next(100_000)) };
    case 2:
      return { type: frameTypes.rstStream, ...onStream, payload: uint32(next(16)) };
    case 3:
      return { type: frameTypes.priority, ...onStream, payload: Buffer.concat([uint32(next(9)), noise(next, 1)]) };
    case 4:
      return { type: frameTypes.ping, flags: next(2), streamId: 0, payload: noise(next, 8) };
    case 5:
      return { type: frameTypes.goaway, flags: 0, streamId: 0, payload: Buffer.alloc(8, next(2) * 255) };
    default:
      return settings(next);
  }
}

function settings(next: Chance): Frame {
  const pairs = Array.from({ length: next(4) }, () =>
    Buffer.concat([Buffer.from([0, next(9)]), uint32(next(2) === 0 ? pick(next, edges) : next(70_000))]),
  );
  return { type: frameTypes.settings, flags: 0, streamId: 0, payload: Buffer.concat(pairs) };
}

export function headers(streamId: number, block: Buffer, endStream: boolean): Frame {
  return {
    type: frameTypes.headers,
    flags: flags.endHeaders | (endStream ? flags.endStream : 0),
    streamId,
    payload: block,
  };
}

export function data(streamId: number, payload: Buffer, endStream: boolean): Frame {
  return { type: frameTypes.data, flags: endStream ? flags.endStream : 0, streamId, payload };
}
