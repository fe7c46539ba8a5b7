import { bucketOf, latencyBoundsMs } from "./latency-buckets.ts";
import type { RouterCounters } from "./route-table.ts";

/** Counts of one method of one package. */
export class MethodCounter {
  readonly packageName: string;
  readonly method: string;
  started = 0;
  /** By gRPC code, 0 to 16. */
  readonly handled: number[] = Array.from({ length: 17 }, () => 0);
  /** Sum of the time calls took, milliseconds. */
  totalMs = 0;
  /** Calls that took as long, by bucket; the last is for those over every bound. */
  readonly tookBuckets: number[] = Array.from({ length: latencyBoundsMs.length + 1 }, () => 0);
  /** DATA that came from clients, bytes. */
  requestBytes = 0;
  /** DATA that came from packages, bytes. */
  answerBytes = 0;

  constructor(packageName: string, method: string) {
    this.packageName = packageName;
    this.method = method;
  }

  /** A call ended with `code`; codes that gRPC does not know count as UNKNOWN. */
  end(code: number, tookMs: number): void {
    const index = code >= 0 && code <= 16 ? code : 2;
    this.handled[index] = (this.handled[index] ?? 0) + 1;
    this.totalMs += tookMs;
    const bucket = bucketOf(tookMs);
    this.tookBuckets[bucket] = (this.tookBuckets[bucket] ?? 0) + 1;
  }
}

/** Counts of all calls. Methods beyond the limit are counted together, so that callers cannot grow it. */
export class Counters {
  openCalls = 0;
  connections = 0;
  readonly #methods = new Map<string, MethodCounter>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The counter of that method, made at its first call. */
  of(packageName: string, method: string): MethodCounter {
    const key = `${packageName}${method}`;
    const known = this.#methods.get(key);
    if (known !== undefined) return known;
    if (this.#methods.size >= this.#limit && method !== otherMethods) return this.of(packageName, otherMethods);
    const counter = new MethodCounter(packageName, method);
    this.#methods.set(key, counter);
    return counter;
  }

  /** What control reads; `waiting` are the methods of all calls that wait for a package, a call each. */
  snapshot(waiting: Iterable<MethodCounter | undefined>): RouterCounters {
    const parked = new Map<MethodCounter | undefined, number>();
    let parkedCalls = 0;
    for (const counter of waiting) {
      parked.set(counter, (parked.get(counter) ?? 0) + 1);
      parkedCalls++;
    }
    return {
      methods: Array.from(this.#methods.values(), (counter) => ({
        package: counter.packageName,
        method: counter.method,
        started: counter.started,
        handled: Object.fromEntries([...counter.handled.entries()].filter(([, count]) => count > 0)),
        open: counter.started - counter.handled.reduce((sum, count) => sum + count, 0),
        parked: parked.get(counter) ?? 0,
        requestBytes: counter.requestBytes,
        answerBytes: counter.answerBytes,
        totalMs: counter.totalMs,
        tookBuckets: [...counter.tookBuckets],
      })),
      openCalls: this.openCalls,
      parkedCalls,
      connections: this.connections,
    };
  }
}

const otherMethods = "/other/other";
