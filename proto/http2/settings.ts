import {
  defaultFrameBytes,
  defaultWindowBytes,
  errorCodes,
  maxFrameBytes,
  maxWindowBytes,
  settingIds,
} from "./constants.ts";
import { readUint32 } from "./frame-reader.ts";
import { ConnectionError } from "./protocol-error.ts";

/** What one side of a connection announced, RFC 9113 section 6.5.2. */
export interface Settings {
  /** Of a peer: the least that it ever announced, since an encoder here never uses more than none. */
  headerTableBytes: number;
  enablePush: boolean;
  maxConcurrentStreams: number;
  initialWindowBytes: number;
  maxFrameBytes: number;
  maxHeaderListBytes: number;
  /** Whether it takes RST_STREAM as fast as they come (`settingIds.unpacedResets`). */
  unpacedResets: boolean;
}

/** What holds before a peer's first SETTINGS frame. */
export function defaultSettings(): Settings {
  return {
    headerTableBytes: 4096,
    enablePush: true,
    maxConcurrentStreams: Number.POSITIVE_INFINITY,
    initialWindowBytes: defaultWindowBytes,
    maxFrameBytes: defaultFrameBytes,
    maxHeaderListBytes: Number.POSITIVE_INFINITY,
    unpacedResets: false,
  };
}

/**
 * Reads the parameters of a SETTINGS payload into `settings`, in order; unknown ones are ignored.
 * Throws ConnectionError on a wrong length or value.
 */
export function applySettings(settings: Settings, bytes: Buffer, start: number, end: number): void {
  if ((end - start) % 6 !== 0) {
    throw new ConnectionError(errorCodes.frameSizeError, `SETTINGS of ${end - start} bytes is no list of parameters`);
  }
  for (let at = start; at < end; at += 6) {
    applyOne(settings, ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0), readUint32(bytes, at + 2));
  }
}

function applyOne(settings: Settings, id: number, value: number): void {
  switch (id) {
    case settingIds.headerTableSize:
      settings.headerTableBytes = Math.min(settings.headerTableBytes, value);
      return;
    case settingIds.enablePush:
      if (value > 1) throw new ConnectionError(errorCodes.protocolError, `ENABLE_PUSH of ${value} is neither 0 nor 1`);
      settings.enablePush = value === 1;
      return;
    case settingIds.maxConcurrentStreams:
      settings.maxConcurrentStreams = value;
      return;
    case settingIds.initialWindowSize:
      if (value > maxWindowBytes) {
        throw new ConnectionError(errorCodes.flowControlError, `INITIAL_WINDOW_SIZE of ${value} is too large`);
      }
      settings.initialWindowBytes = value;
      return;
    case settingIds.maxFrameSize:
      if (value < defaultFrameBytes || value > maxFrameBytes) {
        throw new ConnectionError(errorCodes.protocolError, `MAX_FRAME_SIZE of ${value} is out of range`);
      }
      settings.maxFrameBytes = value;
      return;
    case settingIds.maxHeaderListSize:
      settings.maxHeaderListBytes = value;
      return;
    case settingIds.unpacedResets:
      settings.unpacedResets = value === 1;
      return;
    default:
      return;
  }
}
