import { readProcStat } from "./proc-stat.ts";

export interface HeartbeatLimits {
  readonly intervalMs: number;
  /** Unanswered pings in a row after which a process that does not run is stalled. */
  readonly misses: number;
  /** Unanswered pings in a row after which one that is busy is stalled, too. */
  readonly busyMisses: number;
  /** From its start to its first answer, milliseconds. */
  readonly startLimitMs: number;
  /**
   * Milliseconds between two looks at whether it was stopped; two in a row that find it so count as stalled. A look
   * wakes no other process, so it can be more frequent than pings. Left out: only pings count.
   */
  readonly lookMs?: number;
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
  #looks: NodeJS.Timeout | undefined;
  #lastTickMs = 0;
  #stopped = false;
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
    const { intervalMs, lookMs } = this.#limits;
    this.#timer = setInterval(() => this.#tick(), intervalMs);
    if (lookMs !== undefined) this.#looks = setInterval(() => this.#look(), lookMs);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    clearInterval(this.#looks);
  }

  /** Twice: one that was stopped with us and goes on with us may do so a little later. */
  #look(): void {
    const wasStopped = this.#stopped;
    this.#stopped = readProcStat(this.#subject.pid)?.state === "T";
    if (wasStopped && this.#stopped) this.#stall("it was stopped");
  }

  #tick(): void {
    const now = performance.now();
    const heldUp = now - this.#lastTickMs > 2 * this.#limits.intervalMs;
    this.#lastTickMs = now;
    if (heldUp) this.#missed = 0;
    if (this.#missed >= this.#limits.misses && this.#isStalled())
      return this.#stall(`${this.#missed} pings in a row without an answer`);
    this.#missed += 1;
    this.#sent += 1;
    this.#subject.ping(this.#sent);
  }

  #stall(reason: string): void {
    this[Symbol.dispose]();
    this.#subject.stalled(reason);
  }

  #isStalled(): boolean {
    const state = readProcStat(this.#subject.pid)?.state;
    if (state === "t") return false; // a debugger holds it
    return (state !== "R" && state !== "D") || this.#missed >= this.#limits.busyMisses;
  }
}
