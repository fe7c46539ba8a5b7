/**
 * Half of a call on one connection, RFC 9113 section 5.1, without the reserved states (push is off).
 * open: both sides may send. half-closed-local: we have sent our end. half-closed-remote: the peer has.
 * closed: both have, or either side reset; nothing is sent, and what still arrives is only counted.
 */
export type StreamState = "open" | "half-closed-local" | "half-closed-remote" | "closed";

/** send-end, receive-end: END_STREAM went out or came in. reset: RST_STREAM either way, or the connection's end. */
export type StreamEvent = "send-end" | "receive-end" | "reset";

/** Every state and event has an answer; an end that comes twice changes nothing. */
export const streamTransitions: Readonly<Record<StreamState, Readonly<Record<StreamEvent, StreamState>>>> = {
  open: { "send-end": "half-closed-local", "receive-end": "half-closed-remote", reset: "closed" },
  "half-closed-local": { "send-end": "half-closed-local", "receive-end": "closed", reset: "closed" },
  "half-closed-remote": { "send-end": "closed", "receive-end": "half-closed-remote", reset: "closed" },
  closed: { "send-end": "closed", "receive-end": "closed", reset: "closed" },
};

/** Whether the peer may still send DATA or trailers on a stream in that state. */
export function mayReceive(state: StreamState): boolean {
  return state === "open" || state === "half-closed-local";
}

/** Whether we may still send on a stream in that state. */
export function maySend(state: StreamState): boolean {
  return state === "open" || state === "half-closed-remote";
}
