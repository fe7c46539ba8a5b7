import { errorCodes } from "#proto/http2/constants.ts";
import type { Stream } from "./stream.ts";

/** Ends the call of the stream that holds most: ENHANCE_YOUR_CALM is gRPC's RESOURCE_EXHAUSTED. */
export function refusalReset(largest: Stream): void {
  largest.reset(errorCodes.enhanceYourCalm);
  largest.user.onReset(largest, errorCodes.enhanceYourCalm);
}
