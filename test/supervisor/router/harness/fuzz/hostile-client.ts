import { once } from "node:events";
import { connect } from "node:net";
import { clientPreface, frameHeaderBytes, frameTypes, settingIds } from "#proto/http2/constants.ts";
import { within } from "../../../../harness/deadline.ts";
import { damaged } from "./damage.ts";
import { cutFrames, type Frame } from "./frames.ts";
import { marksIn, markOf } from "./marks.ts";
import type { Recordings } from "./recordings.ts";
import { clientFrames, noise, pick, type Chance } from "./session.ts";
import { marksInFields, StrictReader } from "./strict-reader.ts";

export interface HostileClientOptions {
  readonly socket: string;
  /** Methods that it calls when it makes calls of its own. */
  readonly paths: readonly string[];
  readonly recordings: Recordings;
  /** Whose mark its bytes carry. */
  readonly owner: number;
  readonly broken: (what: string) => void;
}

/** One connection of a client that sends anything, and sees to it that it is only answered what it asked; frames sent. */
export async function hostileClient(next: Chance, options: HostileClientOptions): Promise<number> {
  const session = damaged(next, clientFrames(next, options.recordings, options.paths, markOf(options.owner)));
  const ending = pick(next, endings);
  const bytes = ending === "when-answered" ? Buffer.concat([session, lastPing]) : session;
  const sent = cutFrames(bytes);
  const preface = next(60) === 0 ? noise(next, 24) : clientPreface;
  const socket = connect(options.socket);
  socket.on("error", () => {});
  await within("a hostile client connects", once(socket, "connect"));
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  const answered = Promise.withResolvers<void>();
  const reader = strictly(options, sent, answered.resolve);
  socket.on("data", (chunk: Buffer) => reader.read(chunk));
  for (const part of parts(next, Buffer.concat([preface, bytes]))) socket.write(part);
  if (ending === "half-close") socket.end();
  else if (ending === "when-answered" && sent.at(-1)?.payload.equals(lastPing.subarray(frameHeaderBytes)) === true) {
    // Until the router has read all, or has had enough. A ping that lies in a longer frame has no answer.
    await within("the router reads what a hostile client sent", Promise.race([answered.promise, closed]));
  }
  if (ending !== "half-close") socket.destroy();
  await within("the router closes a hostile client's connection", closed);
  return sent.length;
}

const endings = ["vanish", "half-close", "half-close", "when-answered"] as const;
const lastPing = Buffer.from("000008060000000000" + "666c757368656421", "hex");

function strictly(options: HostileClientOptions, sent: readonly Frame[], answered: () => void): StrictReader {
  const { owner, broken } = options;
  const begun = new Set(sent.filter(({ type }) => type === frameTypes.headers).map(({ streamId }) => streamId));
  const highest = Math.max(0, ...begun);
  const foreign = (owners: readonly number[]): void => {
    for (const other of owners) if (other !== owner) broken(`client ${owner} got bytes of caller ${other}`);
  };
  const reader = new StrictReader(
    {
      onHeaders: (_streamId, fields) => foreign(marksInFields(fields)),
      onData: (_streamId, payload) => foreign(marksIn(payload)),
      onOther: (type, _flags, _streamId, payload) => {
        if (type === frameTypes.ping && payload.toString("latin1") === "flushed!") answered();
      },
    },
    // Streams that were passed over are closed, and may be reset for what comes on them.
    (streamId, reset) => begun.has(streamId) || (reset && streamId % 2 === 1 && streamId < highest),
    (what) => broken(`client ${owner} got ${what}`),
  );
  reader.largestFrame = largestFrame(sent);
  return reader;
}

/** The largest frame that the router may send, by any SETTINGS that went out. */
function largestFrame(sent: readonly Frame[]): number {
  let largest = 16_384;
  for (const { type, payload } of sent) {
    if (type !== frameTypes.settings) continue;
    for (let at = 0; at + 6 <= payload.length; at += 6) {
      if (payload.readUInt16BE(at) === settingIds.maxFrameSize) {
        largest = Math.max(largest, payload.readUInt32BE(at + 2));
      }
    }
  }
  return largest;
}

/** Cuts `bytes` where nobody would. */
function parts(next: Chance, bytes: Buffer): Buffer[] {
  if (next(2) === 0) return [bytes];
  const cut: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + 1 + next(next(2) === 0 ? 12 : 400));
    cut.push(bytes.subarray(at, end));
    at = end;
  }
  return cut;
}
