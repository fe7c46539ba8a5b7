/** Below this the collector's own pace does; buffers that share node's pool must not be touched. */
const leastBytes = Math.max(64 * 1024, Buffer.poolSize);

/**
 * Gives the memory behind large bytes back now instead of at the next collection. Whoever calls owns all of that
 * memory and knows that nobody reads it any more: every view of it is empty afterwards.
 */
export function freeBytes({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength > leastBytes) buffer.transfer(0);
}
