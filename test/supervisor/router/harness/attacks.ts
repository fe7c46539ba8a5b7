import { encodeHeaders, encodeInteger } from "#proto/http2/hpack-encoder.ts";
import { clientPreface, errorCodes, flags, frameTypes } from "#proto/http2/constants.ts";
import { FrameWriter } from "#proto/http2/frame-writer.ts";
import { request } from "./raw-peer.ts";

/** What an attacker does on one connection after another. Calls go to a package of their own. */
export interface Attack {
  readonly name: string;
  /** Connections at once. */
  readonly connections: number;
  /** Sent first, in place of preface and SETTINGS. */
  readonly opening?: Buffer;
  /** Sent after it once. */
  readonly first?: (writer: FrameWriter) => void;
  /** Sent again and again for as long as the connection lives; `round` counts from 0. */
  readonly again?: (writer: FrameWriter, round: number) => void;
  /** Whether it reads what it is answered. */
  readonly reads: boolean;
}

/** Path whose package answers each whole request at once. */
export const answeredPath = "/test.v1.Attacked/Answer";
/** Path whose package pours DATA without end. */
export const pouredPath = "/test.v1.Attacked/Pour";

const perRound = 200;
const frameBytes = 16_384;
const block = encodeHeaders(request(answeredPath));
const pourBlock = encodeHeaders(request(pouredPath));
/** The block with a name that is in upper case. */
const malformedBlock = encodeHeaders([...request(answeredPath), ["X-Upper", "1"]]);
const emptyNamesBlock = Buffer.concat([block, Buffer.alloc(30)]);

/** Any frame. */
function frame(writer: FrameWriter, type: number, frameFlags: number, streamId: number, payload: Buffer): void {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = frameFlags;
  head.writeUInt32BE(streamId, 5);
  writer.raw(head);
  writer.raw(payload);
}

/** The stream ids of a round, odd and rising from round to round. */
function ids(round: number, count = perRound): number[] {
  return Array.from({ length: count }, (_, at) => (round * count + at) * 2 + 1);
}

/** Begins `count` calls a round and has something done to each. */
function calls(each: (writer: FrameWriter, id: number) => void, endStream = false): NonNullable<Attack["again"]> {
  return (writer, round) => {
    for (const id of ids(round)) {
      writer.headers(id, block, endStream, frameBytes);
      each(writer, id);
    }
  };
}

function flood(type: number, frameFlags: number, payload: Buffer): NonNullable<Attack["again"]> {
  return (writer) => {
    for (let sent = 0; sent < perRound * 5; sent++) frame(writer, type, frameFlags, 0, payload);
  };
}

/** Frames on stream 1, which `first` opened. */
function onOne(type: number, frameFlags: number, payload: Buffer): NonNullable<Attack["again"]> {
  return (writer) => {
    for (let sent = 0; sent < perRound * 5; sent++) frame(writer, type, frameFlags, 1, payload);
  };
}

function openOne(writer: FrameWriter): void {
  writer.headers(1, block, false, frameBytes);
}

const common = { connections: 4, reads: true };

/** An HPACK literal that enters the table, then as many indices of it as a frame holds. */
function bomb(writer: FrameWriter, round: number): void {
  const value = Buffer.alloc(3900, "a");
  const entry = Buffer.concat([Buffer.from([0x40, 1]), Buffer.from("x"), encodeInteger(value.length, 7, 0), value]);
  const seed = Buffer.concat([block, entry]);
  const many = Buffer.concat([block, Buffer.alloc(frameBytes - block.length, 0xbe)]);
  for (const id of ids(round, 20)) writer.headers(id, id === 1 ? seed : many, true, frameBytes);
}

function dribble(writer: FrameWriter, round: number): void {
  for (let at = 0; at < perRound * 5; at++) writer.windowUpdate(((round + at) % 8) * 2 + 1, 1);
}

export const attacks: readonly Attack[] = [
  {
    ...common,
    name: "a data dribble (CVE-2019-9511)",
    first: (writer) => {
      writer.settings({ initialWindowBytes: 0 });
      for (const id of ids(0, 8)) writer.headers(id, pourBlock, true, frameBytes);
    },
    again: dribble,
  },
  {
    ...common,
    name: "a PING flood whose answers are not read (CVE-2019-9512)",
    again: flood(frameTypes.ping, 0, Buffer.alloc(8)),
    reads: false,
  },
  {
    ...common,
    name: "a resource loop of PRIORITY (CVE-2019-9513)",
    again: (writer, round) => {
      for (const id of ids(round)) frame(writer, frameTypes.priority, 0, id, Buffer.from([0, 0, 0, 0, round & 255]));
    },
  },
  {
    ...common,
    name: "a flood of malformed requests that are not read (CVE-2019-9514)",
    again: (writer, round) => {
      for (const id of ids(round)) writer.headers(id, malformedBlock, false, frameBytes);
    },
    reads: false,
  },
  { ...common, name: "a SETTINGS flood (CVE-2019-9515)", again: flood(frameTypes.settings, 0, Buffer.alloc(0)) },
  {
    ...common,
    name: "headers without names (CVE-2019-9516)",
    again: (writer, round) => {
      for (const id of ids(round)) writer.headers(id, emptyNamesBlock, true, frameBytes);
    },
  },
  {
    ...common,
    name: "open windows over a socket that is not read (CVE-2019-9517)",
    first: (writer) => {
      writer.settings({ initialWindowBytes: 2 ** 31 - 1 });
      writer.windowUpdate(0, 2 ** 31 - 1 - 65_535);
      for (const id of ids(0)) writer.headers(id, pourBlock, true, frameBytes);
    },
    reads: false,
  },
  {
    ...common,
    name: "empty DATA (CVE-2019-9518)",
    first: openOne,
    again: onOne(frameTypes.data, 0, Buffer.alloc(0)),
  },
  {
    ...common,
    name: "DATA of padding alone (CVE-2019-9518)",
    first: openOne,
    again: onOne(frameTypes.data, flags.padded, Buffer.from([1, 0])),
  },
  {
    ...common,
    name: "rapid resets (CVE-2023-44487)",
    again: calls((writer, id) => writer.rstStream(id, errorCodes.cancel)),
  },
  {
    ...common,
    name: "a CONTINUATION flood in one block (CVE-2024-27316)",
    first: (writer) => frame(writer, frameTypes.headers, 0, 1, block),
    again: onOne(frameTypes.continuation, 0, Buffer.alloc(0)),
  },
  {
    ...common,
    name: "a CONTINUATION flood over many blocks (CVE-2024-27316)",
    again: (writer, round) => {
      for (const id of ids(round)) {
        frame(writer, frameTypes.headers, flags.endStream, id, block);
        for (let sent = 0; sent < 8; sent++) frame(writer, frameTypes.continuation, 0, id, Buffer.alloc(0));
        frame(writer, frameTypes.continuation, flags.endHeaders, id, Buffer.alloc(0));
      }
    },
  },
  {
    ...common,
    name: "resets provoked by windows that grow by nothing (CVE-2025-8671)",
    again: calls((writer, id) => writer.windowUpdate(id, 0)),
  },
  {
    ...common,
    name: "resets provoked by windows that overflow (CVE-2025-8671)",
    again: calls((writer, id) => writer.windowUpdate(id, 2 ** 31 - 1)),
  },
  {
    ...common,
    name: "resets provoked by PRIORITY of a wrong size (CVE-2025-8671)",
    again: calls((writer, id) => frame(writer, frameTypes.priority, 0, id, Buffer.alloc(4))),
  },
  {
    ...common,
    name: "resets provoked by DATA after the end (CVE-2025-8671)",
    again: calls((writer, id) => frame(writer, frameTypes.data, 0, id, Buffer.alloc(1)), true),
  },
  { ...common, name: "lists of one large field by index", again: bomb },
  {
    ...common,
    name: "metadata over the limit",
    again: (writer, round) => {
      const large = encodeHeaders(request(answeredPath, [["x-large", "a".repeat(16_384)]]));
      for (const id of ids(round, 20)) writer.headers(id, large, true, frameBytes);
    },
  },
  { ...common, name: "500 clients without a preface", connections: 500, opening: Buffer.alloc(0) },
  {
    ...common,
    name: "500 clients that do not end their headers",
    connections: 500,
    first: (writer) => frame(writer, frameTypes.headers, 0, 1, block),
  },
  {
    ...common,
    name: "clients that speak another protocol",
    connections: 16,
    opening: Buffer.from("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
  },
];

/** Not an attack: as many calls as answers let it make, from as many connections. */
export const wellBehaved: Attack = {
  name: "well-behaved calls",
  connections: 4,
  reads: true,
};

/** What opens an ordinary connection. */
export function ordinaryOpening(): Buffer {
  const writer = new FrameWriter();
  writer.raw(clientPreface);
  writer.settings({});
  return Buffer.from(writer.bytes.subarray(0, writer.length));
}

/** The frames that `write` writes. */
export function bytesOf(write: (writer: FrameWriter) => void): Buffer {
  const writer = new FrameWriter();
  write(writer);
  return Buffer.from(writer.bytes.subarray(0, writer.length));
}

/** The HEADERS of call `id` of well-behaved calls. */
export function ordinaryCall(id: number): Buffer {
  return bytesOf((writer) => writer.headers(id, block, true, frameBytes));
}
