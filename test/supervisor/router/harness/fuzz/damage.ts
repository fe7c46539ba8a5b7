import { flags, frameTypes } from "#proto/http2/constants.ts";
import { encodeFrame, uint32, type Frame } from "./frames.ts";
import { noise, pick, type Chance } from "./session.ts";

/** A frame as it is sent: its head may lie about its length. */
interface Sent extends Frame {
  readonly length?: number;
}

type Damage = (next: Chance, frames: Sent[], at: number) => void;

/** Replaces, adds or removes frames near `at`. Each alone leaves a session that is wrong in one way, or not at all. */
const damages: readonly Damage[] = [
  (_next, frames, at) => void frames.splice(at, 1),
  (_next, frames, at) => void frames.splice(at, 0, frames[at] as Sent),
  (_next, frames, at) => void frames.splice(Math.max(0, at - 1), 0, ...frames.splice(at, 1)),
  (next, frames, at) => change(frames, at, () => ({ streamId: next(4) === 0 ? next(2 ** 31) : next(20) })),
  (next, frames, at) => change(frames, at, () => ({ type: next(12) })),
  (next, frames, at) => change(frames, at, () => ({ flags: next(256) })),
  (next, frames, at) => change(frames, at, (frame) => ({ flags: frame.flags ^ pick(next, Object.values(flags)) })),
  (next, frames, at) => change(frames, at, (frame) => ({ payload: flipped(next, frame.payload) })),
  (next, frames, at) => change(frames, at, ({ payload }) => ({ payload: payload.subarray(next(payload.length + 1)) })),
  (next, frames, at) => change(frames, at, ({ payload }) => ({ payload: grown(next, payload) })),
  (next, frames, at) => change(frames, at, ({ payload }) => ({ length: Math.max(0, payload.length + next(40) - 20) })),
  (next, frames, at) => change(frames, at, () => ({ payload: noise(next, next(60)) })),
  (next, frames, at) => void frames.splice(at, 0, anything(next)),
  (next, frames, at) => void frames.splice(at, 0, ...(Array(2 + next(40)).fill(frames[at]) as Sent[])),
  (next, frames, at) => change(frames, at, (frame) => padded(next, frame)),
  (next, frames, at) => void frames.splice(at, 1, ...continued(next, frames[at] as Sent)),
  (_next, frames, at) => void frames.splice(at),
];

/** The bytes of `frames` with some of them damaged; one session in four is left whole. */
export function damaged(next: Chance, frames: readonly Frame[]): Buffer {
  const sent: Sent[] = [...frames];
  for (let times = next(4) * next(3); times > 0 && sent.length > 0; times--) {
    pick(next, damages)(next, sent, next(sent.length));
  }
  return Buffer.concat(sent.map((frame) => encodeFrame(frame, frame.length)));
}

function change(frames: Sent[], at: number, to: (frame: Sent) => Partial<Sent>): void {
  const frame = frames[at];
  if (frame !== undefined) frames[at] = { ...frame, ...to(frame) };
}

function flipped(next: Chance, payload: Buffer): Buffer {
  const bytes = Buffer.from(payload);
  for (let flips = 1 + next(4); flips > 0 && bytes.length > 0; flips--) bytes[next(bytes.length)] = next(256);
  return bytes;
}

function grown(next: Chance, payload: Buffer): Buffer {
  return Buffer.concat([payload, noise(next, 1 + next(next(10) === 0 ? 17_000 : 30))]);
}

function anything(next: Chance): Frame {
  return {
    type: next(12),
    flags: next(256),
    streamId: next(next(3) === 0 ? 2 ** 31 : 20),
    payload: noise(next, next(60)),
  };
}

/** The same with padding, which only DATA and HEADERS have. */
function padded(next: Chance, frame: Sent): Partial<Sent> {
  if (frame.type !== frameTypes.data && frame.type !== frameTypes.headers) return {};
  if ((frame.flags & (flags.padded | flags.priority)) !== 0) return {};
  const padding = next(40);
  const priority = frame.type === frameTypes.headers && next(2) === 0;
  return {
    flags: frame.flags | flags.padded | (priority ? flags.priority : 0),
    payload: Buffer.concat([
      Buffer.from([padding]),
      priority ? Buffer.concat([uint32(0), noise(next, 1)]) : Buffer.alloc(0),
      frame.payload,
      Buffer.alloc(padding),
    ]),
  };
}

/** The same header block in HEADERS and CONTINUATION. */
function continued(next: Chance, frame: Sent): Sent[] {
  if (frame.type !== frameTypes.headers || (frame.flags & flags.padded) !== 0) return [frame];
  const cut = next(frame.payload.length + 1);
  const { streamId, payload } = frame;
  return [
    { ...frame, flags: frame.flags & ~flags.endHeaders, payload: payload.subarray(0, cut) },
    { type: frameTypes.continuation, flags: flags.endHeaders, streamId, payload: payload.subarray(cut) },
  ];
}
