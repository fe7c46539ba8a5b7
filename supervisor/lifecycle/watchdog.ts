import { type Clock, realClock, type Timer } from "../clock.ts";

/** What the last of the health checks in a row is given, milliseconds; those before it had longer. */
const lastAnswerMs = 400;
/** It is waited for in so many parts, so that a time in which everything stood still shows, however short the rest. */
const lastParts = 4;
/** How late a timer may be before this process counts as held up itself, milliseconds. */
const heldUpMs = 200;

export interface WatchdogLimits {
  readonly intervalMs: number;
  /** Checks in a row without an answer after which a process is stalled. */
  readonly misses: number;
}

export interface WatchdogSubject {
  /** Asks whether it lives; true: it answered, whatever the answer. Never rejects. */
  ask(signal: AbortSignal): Promise<boolean>;
  /** Whether a debugger holds it, so that silence says nothing. */
  debugged(): boolean;
  stalled(reason: string): void;
}

/**
 * Asks a process every interval whether it lives. Slow is not dead: only `misses` questions in a row that nothing has
 * answered count, an answer to any of them ends the row, and so does a time in which this very process was stopped or
 * held up. A suspended machine does not count either, since the monotonic clock stands still then. A process that stands
 * still is found within `intervalMs * misses + 400`. Owns: its timers and open questions.
 */
export class Watchdog implements Disposable {
  readonly #limits: WatchdogLimits;
  readonly #subject: WatchdogSubject;
  readonly #over = new AbortController();
  readonly #clock: Clock;
  #timer: Timer | undefined;
  #verdict: Timer | undefined;
  #unanswered = 0;

  constructor(limits: WatchdogLimits, subject: WatchdogSubject, clock: Clock = realClock) {
    this.#clock = clock;
    this.#limits = limits;
    this.#subject = subject;
    this.#schedule();
  }

  /** Asks out of turn. */
  askNow(): void {
    if (this.#over.signal.aborted) return;
    this.#unanswered += 1;
    // It never rejects.
    void this.#subject.ask(this.#over.signal).then((answered) => {
      if (answered) this.#forgive();
    });
  }

  [Symbol.dispose](): void {
    this.#clock.clearTimer(this.#timer);
    this.#clock.clearTimer(this.#verdict);
    this.#over.abort();
  }

  #schedule(): void {
    const { intervalMs } = this.#limits;
    const due = this.#clock.monotonic() + intervalMs;
    this.#timer = this.#clock.setTimer(() => {
      if (this.#isLate(due)) this.#forgive();
      this.askNow();
      if (this.#unanswered >= this.#limits.misses && this.#verdict === undefined) this.#awaitLastAnswer(lastParts);
      this.#schedule();
    }, intervalMs);
  }

  #awaitLastAnswer(parts: number): void {
    const partMs = lastAnswerMs / lastParts;
    const due = this.#clock.monotonic() + partMs;
    this.#verdict = this.#clock.setTimer(() => {
      this.#verdict = undefined;
      if (this.#isLate(due) || this.#subject.debugged()) return this.#forgive();
      if (parts > 1) return this.#awaitLastAnswer(parts - 1);
      const { intervalMs, misses } = this.#limits;
      this[Symbol.dispose]();
      this.#subject.stalled(`no answer to ${misses} health checks in a row, one every ${intervalMs} ms`);
    }, partMs);
  }

  #forgive(): void {
    this.#unanswered = 0;
    this.#clock.clearTimer(this.#verdict);
    this.#verdict = undefined;
  }

  #isLate(due: number): boolean {
    return this.#clock.monotonic() - due > heldUpMs;
  }
}
