/** Something with bytes to write once this turn of the event loop has gathered them all. */
export interface Flushable {
  flush(): void;
}

/** Something with bytes that may wait for others to go out with. */
export interface Patient {
  /** They have waited long enough. */
  flushSoon(): void;
}

/** How long they wait at most, milliseconds. */
const patienceMs = 1;

/** Something whose work of this turn was enough, and which goes on in the next. */
export interface Resumable {
  resume(): void;
}

/** Gathers who has something to write and has each write once, at the end of the turn. */
export class TurnFlusher {
  /** Counts turns in which there was something to do. */
  turn = 0;
  /** When the first frame of this turn was taken (`turn-budget.ts`); undefined: none was yet. */
  startedMs: number | undefined;
  /** Frames of this turn that were of no use. */
  wasted = 0;
  #dirty: Flushable[] = [];
  #spare: Flushable[] = [];
  #scheduled = false;
  #later: Resumable[] = [];
  #patient: Patient[] = [];
  readonly #run: () => void;
  readonly #atTurnEnd: (run: () => void) => void;
  readonly #after: (run: () => void, ms: number) => void;

  /**
   * `atTurnEnd` calls its argument once, when this turn of the event loop is over; `after` does so after some
   * milliseconds.
   */
  constructor(
    atTurnEnd: (run: () => void) => void = setImmediate,
    after: (run: () => void, ms: number) => void = setTimeout,
  ) {
    this.#atTurnEnd = atTurnEnd;
    this.#after = after;
    this.#run = () => this.#flushAll();
  }

  /** Has `flushable` flushed at the end of this turn. The caller sees to it that it is not listed twice. */
  add(flushable: Flushable): void {
    this.#dirty.push(flushable);
    this.#schedule();
  }

  /** Has `patient` flushed in a millisecond, if it has not been by then. */
  soon(patient: Patient): void {
    this.#patient.push(patient);
    if (this.#patient.length === 1) this.#after(() => this.#flushPatient(), patienceMs);
  }

  /** Has `resumable` go on after other sockets were looked at. */
  later(resumable: Resumable): void {
    this.#later.push(resumable);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#atTurnEnd(this.#run);
  }

  #flushAll(): void {
    this.turn++;
    this.startedMs = undefined;
    this.wasted = 0;
    if (this.#later.length > 0) this.#resumeAll();
    // Who was resumed has had a turn; those who are read next get one, too.
    this.startedMs = undefined;
    this.#scheduled = false;
    if (this.#later.length > 0) this.#schedule();
    const dirty = this.#dirty;
    this.#dirty = this.#spare;
    for (const flushable of dirty) flushable.flush();
    dirty.length = 0;
    this.#spare = dirty;
  }

  #flushPatient(): void {
    const patient = this.#patient;
    this.#patient = [];
    for (const each of patient) each.flushSoon();
  }

  #resumeAll(): void {
    const later = this.#later;
    this.#later = [];
    // Another goes first each time: the first ones get the most of a turn.
    const first = this.turn % later.length;
    for (let at = 0; at < later.length; at++) later[(first + at) % later.length]?.resume();
  }
}
