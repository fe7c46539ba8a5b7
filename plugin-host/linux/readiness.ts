import { loadKoffi } from "./library.ts";

/**
 * Calls `listener` once when a descriptor is readable or writable (a pidfd is readable when its process ended),
 * on the event loop, without a thread. The returned function ends the watch; until either it holds the loop open.
 * The descriptor stays the caller's and must be open as long as the watch.
 */
export function onceReady(fd: number, event: "readable" | "writable", listener: () => void): () => void {
  const handle = loadKoffi().node.poll(fd, { readable: event === "readable", writable: event === "writable" }, () => {
    end();
    listener();
  });
  let ended = false;
  function end(): void {
    if (ended) return;
    ended = true;
    handle.stop();
    handle.close();
  }
  return end;
}
