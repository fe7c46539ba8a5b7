import { maxStreamId } from "#proto/http2/constants.ts";

/** Bounds that the config's `router` section sets; each keeps one caller from costing others memory or time. */
export interface ConfiguredLimits {
  /** Open client connections; one more is closed at once. */
  readonly connections: number;
  /** The same of one user on the main socket, or of one package on its host socket. */
  readonly connectionsPerUid: number;
  /** Streams a client may have open on one connection. */
  readonly streamsPerConnection: number;
  /** Open calls of all clients together; one more is refused to who has 64 of them. */
  readonly openCalls: number;
  /** A header list as RFC 7541 counts it, bytes. */
  readonly headerListBytes: number;
  /** Payload of one frame that a peer may send, bytes. */
  readonly frameBytes: number;
  /**
   * What a stream's window grows to while its far side takes all and little is held, bytes: also the most that is held
   * for one that its far side takes no longer.
   */
  readonly streamWindowBytes: number;
  /** Window of each connection, bytes; credited on receipt, so it bounds what is on the way. */
  readonly connectionWindowBytes: number;
  /** Held for all streams, bytes; beyond it the largest holder is reset. */
  readonly heldBytes: number;
  /** Unread answers and acknowledgements of one connection, bytes; beyond it the peer is cut off. */
  readonly unreadBytes: number;
  /** SETTINGS frames of one connection a second. */
  readonly settingsPerSecond: number;
  /** PING frames a second beyond useful frames. */
  readonly pingsPerSecond: number;
  /** Calls a second that a client may reset right after it began them, or have the router reset. */
  readonly resetsPerSecond: number;
  /** Frames that carry nothing (PRIORITY, unknown and empty ones, windows opened by crumbs) a second beyond useful ones. */
  readonly emptyFramesPerSecond: number;
  /** CONTINUATION frames of one connection a second. */
  readonly continuationsPerSecond: number;
  /** CONTINUATION frames of one block. */
  readonly continuations: number;
  /** From connect to a whole preface and SETTINGS, milliseconds. */
  readonly prefaceMs: number;
  /** From HEADERS to the end of its CONTINUATION frames, milliseconds. */
  readonly headersMs: number;
  /** A client's connection without a call is ended after so long, milliseconds; 0: never. */
  readonly idleMs: number;
}

/** All bounds of the router. */
export interface Limits extends ConfiguredLimits {
  /** A header block on the wire with its CONTINUATION frames, bytes. */
  readonly headerBlockBytes: number;
  /** Streams opened toward a package before its SETTINGS say how many. */
  readonly streamsBeforeSettings: number;
  /** Highest stream id used toward a package; another connection goes on after it. */
  readonly lastStreamId: number;
  /** Request bytes kept so that a call can be asked again. */
  readonly keptBytes: number;
  /** Calls of one package that wait for a connection to an open generation. */
  readonly waitingCalls: number;
  /** Window of a new stream, bytes: a message of 64 KiB fits, and half a one needs no WINDOW_UPDATE. */
  readonly firstWindowBytes: number;
  /** By how much all windows together may have grown, bytes; while more than that is held they shrink. */
  readonly grownWindowBytes: number;
  /** Written at once to one connection, bytes: an answer of 32 KiB leaves whole. */
  readonly burstBytes: number;
  /** Calls of a lost generation that are remembered, oldest first. */
  readonly rememberedCalls: number;
  /** Distinct methods counted; later ones are counted together. */
  readonly countedMethods: number;
}

export const defaultLimits: Limits = {
  connections: 8192,
  connectionsPerUid: 4096,
  streamsPerConnection: 16_384,
  openCalls: 32_768,
  headerListBytes: 16 * 1024,
  frameBytes: 16 * 1024,
  streamWindowBytes: 256 * 1024,
  connectionWindowBytes: 4 * 1024 * 1024,
  heldBytes: 64 * 1024 * 1024,
  unreadBytes: 4 * 1024 * 1024,
  settingsPerSecond: 100,
  pingsPerSecond: 1000,
  resetsPerSecond: 1000,
  emptyFramesPerSecond: 2000,
  continuationsPerSecond: 2000,
  continuations: 16,
  prefaceMs: 10_000,
  headersMs: 10_000,
  idleMs: 3_600_000,
  headerBlockBytes: 64 * 1024,
  streamsBeforeSettings: 100,
  lastStreamId: maxStreamId,
  keptBytes: 64 * 1024,
  waitingCalls: 20_000,
  firstWindowBytes: 68 * 1024,
  grownWindowBytes: 512 * 1024,
  burstBytes: 33 * 1024,
  rememberedCalls: 1000,
  countedMethods: 4096,
};

/** `base` with what the config says on top. A block may take as much more on the wire as a list that is read through. */
export function limitsWith(base: Limits, configured: Partial<ConfiguredLimits>): Limits {
  const limits = { ...base, ...configured };
  return {
    ...limits,
    headerBlockBytes: Math.max(limits.headerBlockBytes, 4 * limits.headerListBytes),
    firstWindowBytes: Math.min(limits.firstWindowBytes, limits.streamWindowBytes),
  };
}
