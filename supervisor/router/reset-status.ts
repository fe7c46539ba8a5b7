import { errorCodes } from "#proto/http2/constants.ts";
import { codeOf } from "#proto/wire/status.ts";

/** The gRPC code that clients see for a RST_STREAM code (gRPC over HTTP/2, "Errors"). */
export function resetStatus(code: number): number {
  switch (code) {
    case errorCodes.refusedStream:
      return codeOf("unavailable");
    case errorCodes.cancel:
      return codeOf("canceled");
    case errorCodes.enhanceYourCalm:
      return codeOf("resource-exhausted");
    case errorCodes.inadequateSecurity:
      return codeOf("permission-denied");
    default:
      return codeOf("internal");
  }
}
