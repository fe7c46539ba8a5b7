import { encodeHeaders } from "#proto/http2/hpack-encoder.ts";
import type { numbersFrom } from "../../../differential/chance.ts";
import type { RawPeer } from "./raw-peer.ts";

/** Sends a frame whose parts are right as often as wrong; `headers` are those of its HEADERS that are right. */
export function sendChanceFrame(
  peer: RawPeer,
  next: ReturnType<typeof numbersFrom>,
  headers: readonly (readonly [string, string])[],
): void {
  const streamId = next(4) === 0 ? next(2 ** 31) : next(8);
  const isHeaders = next(3) === 0;
  const noise = Buffer.from(Array.from({ length: next(60) }, () => next(256)));
  const payload = isHeaders && next(4) > 0 ? encodeHeaders(headers) : noise;
  peer.frame(isHeaders ? 1 : next(12), next(2) === 0 ? 4 : next(256), streamId, payload);
}
