/**
 * One HTTP/2 connection, toward a client or a package.
 * open: frames go both ways, streams may begin. leaving: GOAWAY was sent without a last stream; streams still begin
 * until the peer has read it. draining: GOAWAY was sent or received, or its stream ids are used up;
 * no stream begins, those that are open go on, and it ends with the last. closed: the transport is gone or going;
 * nothing is read or written.
 */
export type ConnectionState = "open" | "leaving" | "draining" | "closed";

/** announce: it is to end. drain: no more streams, for whatever reason. end: it has ended, by its peer, by us, or with its last stream. */
export type ConnectionEvent = "announce" | "drain" | "end";

/** Every state and event has an answer; an end is final, and a drain that comes twice changes nothing. */
export const connectionTransitions: Readonly<
  Record<ConnectionState, Readonly<Record<ConnectionEvent, ConnectionState>>>
> = {
  open: { announce: "leaving", drain: "draining", end: "closed" },
  leaving: { announce: "leaving", drain: "draining", end: "closed" },
  draining: { announce: "draining", drain: "draining", end: "closed" },
  closed: { announce: "closed", drain: "closed", end: "closed" },
};
