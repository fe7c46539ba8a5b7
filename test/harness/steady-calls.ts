import { Echo } from "../fixtures/gen/acme/echo/v1/echo_pb.ts";
import { clientOf, connect } from "#rpc";

/** Calls of one connection that are made one after another for as long as it lives. */
export interface SteadyCalls extends AsyncDisposable {
  /** Answered so far. */
  readonly answered: number;
  /** What failed, in words. */
  readonly failures: readonly string[];
  /** Pids that answered. */
  readonly pids: ReadonlySet<number>;
  /** Longest that one call took, milliseconds. */
  readonly longestMs: number;
  /** Resolves once `more` calls have been answered from now on. */
  after(more: number): Promise<void>;
}

/** Makes calls to the echo service at `address` without a pause, `lanes` at a time, until it is disposed. */
export function steadyCalls(address: string, lanes: number): SteadyCalls {
  const state = { answered: 0, failures: [] as string[], pids: new Set<number>(), longestMs: 0 };
  const waiting = new Set<() => void>();
  let over = false;
  const lane = async (): Promise<void> => {
    using channel = connect(address);
    const echo = clientOf(Echo, channel);
    while (!over) {
      const started = performance.now();
      try {
        const { pid } = await echo.say({ text: "steady" });
        state.answered += 1;
        state.pids.add(Number(pid));
      } catch (error) {
        state.failures.push(String(error));
      }
      state.longestMs = Math.max(state.longestMs, performance.now() - started);
      for (const wake of waiting) wake();
    }
  };
  const running = Array.from({ length: lanes }, lane);
  return {
    get answered() {
      return state.answered;
    },
    failures: state.failures,
    pids: state.pids,
    get longestMs() {
      return state.longestMs;
    },
    after: (more) => {
      const goal = state.answered + more;
      return new Promise((resolve) => {
        const wake = (): void => {
          if (state.answered < goal && state.failures.length === 0) return;
          waiting.delete(wake);
          resolve();
        };
        waiting.add(wake);
      });
    },
    [Symbol.asyncDispose]: async () => {
      over = true;
      await Promise.all(running);
    },
  };
}
