/**
 * Gives the memory of a chunk back now that its bytes are done with: the collector would let many megabytes gather.
 * Decompression cuts chunks from one piece of memory in order, so it is done with when a chunk ends where it does.
 */
export function freeChunk({ buffer, byteOffset, byteLength }: Buffer): void {
  const isLarge = buffer.byteLength > Buffer.poolSize;
  if (isLarge && buffer instanceof ArrayBuffer && byteOffset + byteLength === buffer.byteLength) buffer.transfer(0);
}
