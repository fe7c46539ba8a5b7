import type { Transform } from "node:stream";

/**
 * Feeds a transform from a source and gives what comes out; it works on while the receiver has the last piece. A
 * transform may end before its source, which is then asked for no more.
 */
export async function* through(
  source: AsyncIterable<Buffer>,
  transform: Transform,
): AsyncGenerator<Buffer, void, undefined> {
  const fed = feed(source, transform);
  try {
    // A source that fails has destroyed it with its error.
    for await (const chunk of transform as AsyncIterable<Buffer>) yield chunk;
  } finally {
    transform.destroy();
    await fed;
  }
}

/** Never rejects. */
async function feed(source: AsyncIterable<Buffer>, transform: Transform): Promise<void> {
  try {
    for await (const chunk of source) {
      if (transform.destroyed) return;
      if (!transform.write(chunk)) await drained(transform);
    }
    transform.end();
  } catch (error) {
    transform.destroy(error as Error);
  }
}

function drained(transform: Transform): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      transform.off("drain", done).off("close", done);
      resolve();
    };
    transform.on("drain", done).on("close", done);
  });
}
