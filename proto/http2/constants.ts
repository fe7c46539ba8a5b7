/** Frame types, RFC 9113 section 6. */
export const frameTypes = {
  data: 0x0,
  headers: 0x1,
  priority: 0x2,
  rstStream: 0x3,
  settings: 0x4,
  pushPromise: 0x5,
  ping: 0x6,
  goaway: 0x7,
  windowUpdate: 0x8,
  continuation: 0x9,
} as const;

/** Frame flags; `ack` and `endStream` share a bit, the frame's type says which is meant. */
export const flags = {
  endStream: 0x1,
  ack: 0x1,
  endHeaders: 0x4,
  padded: 0x8,
  priority: 0x20,
} as const;

/** Error codes of RST_STREAM and GOAWAY, RFC 9113 section 7. */
export const errorCodes = {
  noError: 0x0,
  protocolError: 0x1,
  internalError: 0x2,
  flowControlError: 0x3,
  settingsTimeout: 0x4,
  streamClosed: 0x5,
  frameSizeError: 0x6,
  refusedStream: 0x7,
  cancel: 0x8,
  compressionError: 0x9,
  connectError: 0xa,
  enhanceYourCalm: 0xb,
  inadequateSecurity: 0xc,
  http11Required: 0xd,
} as const;

/** Identifiers of SETTINGS parameters, RFC 9113 section 6.5.2. */
export const settingIds = {
  headerTableSize: 0x1,
  enablePush: 0x2,
  maxConcurrentStreams: 0x3,
  initialWindowSize: 0x4,
  maxFrameSize: 0x5,
  maxHeaderListSize: 0x6,
  /** Ours, of the range for experiments: any number of RST_STREAM is taken; other libraries count them as an attack. */
  unpacedResets: 0xf0b4,
} as const;

/** Bytes before each frame's payload. */
export const frameHeaderBytes = 9;
/** What a client sends first. */
export const clientPreface: Buffer = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
/** Window of a new stream and of the connection until a peer says otherwise. */
export const defaultWindowBytes = 65_535;
/** Largest window the protocol can count. */
export const maxWindowBytes = 0x7fffffff;
/** Payload limit until a peer raises it; also the least that may be announced. */
export const defaultFrameBytes = 16_384;
/** Most that SETTINGS_MAX_FRAME_SIZE may say. */
export const maxFrameBytes = 16_777_215;
/** Highest stream id. */
export const maxStreamId = 0x7fffffff;
