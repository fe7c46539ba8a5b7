import type { Transform } from "node:stream";

/** Feeds a transform from a source and gives what comes out; it works on while the receiver has the last piece. */
export async function* through(
  source: AsyncIterable<Buffer>,
  transform: Transform,
): AsyncGenerator<Buffer, void, undefined> {
  const fed = feed(source, transform);
  try {
    for await (const chunk of transform as AsyncIterable<Buffer>) yield chunk;
    await fed;
  } finally {
    transform.destroy();
    await fed.catch(() => {}); // heard above, or the receiver has ended it
  }
}

async function feed(source: AsyncIterable<Buffer>, transform: Transform): Promise<void> {
  try {
    for await (const chunk of source) {
      if (!transform.write(chunk)) await drained(transform);
      if (transform.destroyed) return;
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
