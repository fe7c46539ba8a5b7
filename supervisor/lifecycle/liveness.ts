import type { Instance } from "./instance.ts";
import type { LifecycleEvent } from "./states.ts";
import type { System } from "./system.ts";
import { Watchdog } from "./watchdog.ts";

/** Reason of a package whose own health is bad. */
const notServing = "its health says NOT_SERVING";

/**
 * Whether a ready instance lives, by `grpc.health.v1`. Any answer of its gRPC server is one: UNIMPLEMENTED and NOT_FOUND
 * show that it lives, NOT_SERVING that it is not well, which never is a reason to kill it. Of an external package the
 * host's own connection is watched, too: when it breaks and there is no other, the package is gone at once.
 * Owns: the watchdog.
 */
export class Liveness implements Disposable {
  readonly #instance: Instance;
  readonly #dispatch: (event: LifecycleEvent) => void;
  readonly #watchdog: Watchdog;
  #serving = true;
  #over = false;

  /** `dispatch` hears of what befalls the instance, until this is disposed. */
  constructor(instance: Instance, system: System, dispatch: (event: LifecycleEvent) => void) {
    this.#instance = instance;
    this.#dispatch = dispatch;
    const subject = {
      ask: (signal: AbortSignal) => this.#ask(signal),
      debugged: () => instance.pid !== 0 && system.isDebugged(instance.pid),
      stalled: (reason: string) => this.#tell({ type: "stalled", reason }),
    };
    this.#watchdog = new Watchdog(instance.manifest.watchdog, subject, system.clock);
    if (instance.process !== undefined) return;
    instance.client.onLost = () => this.#watchdog.askNow();
    this.#watchdog.askNow(); // opens the connection that is watched
  }

  [Symbol.dispose](): void {
    this.#over = true;
    this.#watchdog[Symbol.dispose]();
  }

  async #ask(signal: AbortSignal): Promise<boolean> {
    const health = await this.#instance.client.health(signal);
    if (this.#over) return false;
    if (health === "unreachable") {
      // A process of ours may still be about to end, which says more.
      if (this.#instance.process === undefined) {
        this.#tell({ type: "stalled", reason: `${this.#instance.socket} cannot be connected` });
      }
      return false;
    }
    if (health === "no-answer") return false;
    this.#hear(health === "serving");
    return true;
  }

  #hear(serving: boolean): void {
    if (serving === this.#serving) return;
    this.#serving = serving;
    this.#tell(serving ? { type: "recovered" } : { type: "degraded", reason: notServing });
  }

  #tell(event: LifecycleEvent): void {
    if (!this.#over) this.#dispatch(event);
  }
}
