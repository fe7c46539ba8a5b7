import type { Chance } from "./chance.ts";

/** What a process is going to do, drawn when it starts; milliseconds of its own life. */
export interface Behaviour {
  /** From its start to its socket and its readiness line; undefined: it gets nowhere. */
  readonly readyMs: number | undefined;
  /** Its health says NOT_SERVING for so long after that. */
  readonly notServingMs: number;
  readonly init: "ok" | "skip" | "retry" | "fail" | "silent";
  readonly initMs: number;
  /** It ends by itself: before it is ready, or some time after. */
  exit: { readonly afterMs: number; readonly code: number | undefined } | undefined;
  /** It stops answering. */
  hangMs: number | undefined;
  /** From SIGTERM to its end; undefined: it does not care. */
  readonly terminateMs: number | undefined;
  /** From SIGKILL to its end: some are in the middle of a write to a slow disk. */
  readonly killMs: number;
  /** From a call to its answer, at most. */
  readonly answerMs: number;
}

/** One that does what it should. */
export function healthyBehaviour(chance: Chance): Behaviour {
  return {
    readyMs: chance.between(1, 120),
    notServingMs: 0,
    init: "ok",
    initMs: chance.between(0, 40),
    exit: undefined,
    hangMs: undefined,
    terminateMs: chance.between(0, 100),
    killMs: chance.between(0, 5),
    answerMs: chance.happens(0.2) ? 800 : 20,
  };
}

/** One that may do anything. */
export function faultyBehaviour(chance: Chance): Behaviour {
  const healthy = healthyBehaviour(chance);
  switch (chance.weighted({ none: 4, exit: 4, never: 1, init: 2, hang: 2, stop: 2, sick: 1, slow: 1 })) {
    case "none":
      return healthy;
    case "exit": {
      const code = chance.pick([0, 1, 1, 75, 78, 79, 126, undefined]);
      return { ...healthy, exit: { afterMs: chance.between(0, chance.happens(0.5) ? 200 : 4000), code } };
    }
    case "never":
      return { ...healthy, readyMs: undefined };
    case "init":
      return { ...healthy, init: chance.pick(["skip", "retry", "retry", "fail", "silent"] as const) ?? "ok" };
    case "hang":
      return { ...healthy, hangMs: chance.between(0, 4000) };
    case "stop":
      return { ...healthy, terminateMs: chance.happens(0.5) ? undefined : chance.between(200, 3000) };
    case "sick":
      return { ...healthy, notServingMs: chance.between(10, 2000) };
    case "slow":
      return { ...healthy, readyMs: chance.between(100, 3000), killMs: chance.between(5, 7000) };
  }
}
