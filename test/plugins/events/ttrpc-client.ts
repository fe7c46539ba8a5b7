import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { ForwardRequestSchema } from "#proto/gen/containerd/services/events/ttrpc/v1/events_pb.ts";
import { RequestSchema, ResponseSchema } from "#proto/gen/ttrpc/ttrpc_pb.ts";
import { encodeTtrpcFrame, TtrpcFrameReader } from "#proto/ttrpc/frames.ts";
import { timestampNow } from "#proto/wire/timestamp.ts";
import { within } from "../../harness/deadline.ts";

export interface Changes {
  readonly topic?: string;
  readonly timestamp?: Timestamp;
  readonly namespace?: string;
  readonly event?: { readonly typeUrl: string; readonly value: Uint8Array };
}

/** Of a kind that nobody knows. */
export const event = { typeUrl: "no.Such", value: new Uint8Array([1]) };
/** A shim's Forward as the bytes of a ttrpc request. */
export function forward(changes: Changes = {}, names = {}): Uint8Array {
  const envelope = { namespace: "ns", topic: "/tasks/exit", timestamp: timestampNow(), event, ...changes };
  const payload = toBinary(ForwardRequestSchema, create(ForwardRequestSchema, { envelope }));
  return request({ payload, ...names });
}

export function request(parts: MessageInitShape<typeof RequestSchema>): Uint8Array {
  const names = { service: "containerd.services.events.ttrpc.v1.Events", method: "Forward" };
  return toBinary(RequestSchema, create(RequestSchema, { ...names, ...parts }));
}

export function frame(streamId: number, payload: Uint8Array, type = 1): Buffer {
  return encodeTtrpcFrame({ streamId, type, payload });
}

/** Sends frames and gives `count` answers as `[stream, code, message]`. */
export async function exchangeFrames(socketPath: string, frames: readonly Buffer[], count: number) {
  const socket = connect(socketPath);
  try {
    await once(socket, "connect");
    for (const bytes of frames) socket.write(bytes);
    return await within(`${count} answers`, readAnswers(socket, count));
  } finally {
    socket.destroy();
  }
}

async function readAnswers(socket: Socket, count: number): Promise<[number, number, string][]> {
  const reader = new TtrpcFrameReader();
  const answers: [number, number, string][] = [];
  for await (const chunk of socket) {
    for (const { streamId, type, payload } of reader.push(chunk as Buffer)) {
      assert.equal(type, 2);
      const { status } = fromBinary(ResponseSchema, payload ?? new Uint8Array());
      answers.push([streamId, status?.code ?? 0, status?.message ?? ""]);
    }
    if (answers.length >= count) return answers;
  }
  throw new Error("the server closed the connection");
}
