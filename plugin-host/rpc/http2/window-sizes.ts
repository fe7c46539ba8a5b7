/** Bytes of messages that a peer may have under way to us: on one stream, and on the connection. */
export const streamWindowBytes = 1024 * 1024;
export const connectionWindowBytes = 16 * 1024 * 1024;
