import assert from "node:assert/strict";
import { answer, frameTypes, ok, request, type RawPeer } from "./raw-peer.ts";
import { path } from "./raw-route.ts";

/** Answers stream `id` and sees that the client gets it. */
export async function finish(peer: RawPeer, client: RawPeer, id: number, clientId: number): Promise<void> {
  peer.headers(id, answer, false);
  peer.headers(id, ok, true);
  await client.next(frameTypes.headers, clientId);
  assert.equal((await client.next(frameTypes.headers, clientId)).headers["grpc-status"], "0");
}

/** Has `client` begin that many calls, few at a time, so that one connection carries them all; their ids there. */
export async function begin(
  client: RawPeer,
  peer: RawPeer,
  calls: number,
  firstId: number,
): Promise<readonly number[]> {
  const ids: number[] = [];
  for (let call = 0; call < calls; call++) {
    client.headers(firstId + call * 2, request(path), true);
    if (call % 50 === 49) while (ids.length <= call) ids.push((await peer.next(frameTypes.headers)).streamId);
  }
  return ids;
}
