import { setTimeout as delay } from "node:timers/promises";
import { HostError } from "#proto/wire/errors.ts";

/** Calls of one step before it counts as lost; each may meet a package that is about to start again. */
const tries = 6;

export interface Persisted {
  /** An answer was lost. */
  readonly lost: boolean;
  /** What it was answered with that had been done before. */
  readonly done: string | undefined;
}

/** Asks until it is answered; that it had been done before, only not answered, is an answer, too. */
export async function persist(ask: () => Promise<unknown>, done: RegExp): Promise<Persisted> {
  for (let turn = 1; ; turn++) {
    const lost = turn > 1;
    try {
      await ask();
      return { lost, done: undefined };
    } catch (error) {
      if (lost && error instanceof Error && done.test(error.message)) return { lost, done: error.message };
      await againAfter(error, turn);
    }
  }
}

/** Asks what changes nothing, so that its answer is the same however often it is asked. */
export function asking<T>(ask: () => Promise<T>): Promise<T> {
  const answer = askAgain(ask);
  answer.catch(() => undefined); // heard where it is awaited
  return answer;
}

async function askAgain<T>(ask: () => Promise<T>): Promise<T> {
  for (let turn = 1; ; turn++) {
    try {
      return await ask();
    } catch (error) {
      await againAfter(error, turn);
    }
  }
}

/** Fulfilled when it may be asked again; rejects with what is no lost answer. */
async function againAfter(error: unknown, turn: number): Promise<void> {
  if (turn === tries || !(error instanceof HostError) || error.kind !== "unavailable") throw error;
  await delay(error.retryAfterMs ?? 0); // as the host asks of who finds a package down
}
