import { readProcStat } from "./proc-stat.ts";

export interface HeartbeatLimits {
  readonly intervalMs: number;
  /** Unanswered pings in a row after which a process that does not run is stalled. */
  readonly misses: number;
  /** Unanswered pings in a row after which one that is busy is stalled, too. */
  readonly busyMisses: number;
  /** From its start to its first answer, milliseconds. */
  readonly startLimitMs: number;
}

export interface HeartbeatSubject {
  readonly pid: number;
  ping(id: number): void;
  stalled(reason: string): void;
}

/**
 * Asks a process again and again whether it still answers. Slow is not dead: until the first answer only the start
 * limit counts, a running process is given longer than a sleeping or stopped one, and misses while this process was
 * itself held up do not count. Owns: its timers.
 */
export class Heartbeat implements Disposable {
  readonly #limits: HeartbeatLimits;
  readonly #subject: HeartbeatSubject;
  #timer: NodeJS.Timeout;
  #lastTickMs = 0;
  #missed = 0;
  #sent = 0;
  #beating = false;

  constructor(limits: HeartbeatLimits, subject: HeartbeatSubject) {
    this.#limits = limits;
    this.#subject = subject;
    subject.ping(0);
    this.#timer = setTimeout(
      () => subject.stalled(`no answer within ${limits.startLimitMs} ms of its start`),
      limits.startLimitMs,
    );
  }

  /** It answered; any answer shows that it lives. */
  answered(): void {
    this.#missed = 0;
    if (this.#beating) return;
    this.#beating = true;
    clearTimeout(this.#timer);
    this.#lastTickMs = performance.now();
    this.#timer = setInterval(() => this.#tick(), this.#limits.intervalMs);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #tick(): void {
    const now = performance.now();
    const heldUp = now - this.#lastTickMs > 2 * this.#limits.intervalMs;
    this.#lastTickMs = now;
    if (heldUp) this.#missed = 0;
    if (this.#missed >= this.#limits.misses && this.#isStalled()) {
      this[Symbol.dispose]();
      this.#subject.stalled(`${this.#missed} pings in a row without an answer`);
      return;
    }
    this.#missed += 1;
    this.#sent += 1;
    this.#subject.ping(this.#sent);
  }

  #isStalled(): boolean {
    const state = readProcStat(this.#subject.pid)?.state;
    if (state === "t") return false; // a debugger holds it
    return (state !== "R" && state !== "D") || this.#missed >= this.#limits.busyMisses;
  }
}
