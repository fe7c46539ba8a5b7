import { readFileSync } from "node:fs";
import { logVerbosity, setLogVerbosity } from "@grpc/grpc-js";
import { numbersFrom } from "../../../../differential/chance.ts";
import { within } from "../../../../harness/deadline.ts";
import { echoClient, EchoServer, unary, type EchoClient } from "../echo-service.ts";
import { row, RouterProcess } from "../router-process.ts";
import { hostileClient } from "./hostile-client.ts";
import { HostilePackage } from "./hostile-package.ts";
import { markOf } from "./marks.ts";
import { Mirror } from "./mirror.ts";
import { readRecordings } from "./recordings.ts";
import type { Chance } from "./session.ts";
import { Witness } from "./witness.ts";

const calmService = "test.v1.Calm";
const mirrored = ["test.v1.Mirror", "grpc.testing.TestService", "containerd.services.content.v1.Content"];
const hostile = ["test.v1.Hostile", "test.v1.Echo", "containerd.services.images.v1.Images"];
const mirrorPath = "/test.v1.Mirror/Get";
const hostilePath = "/test.v1.Hostile/Get";
const paths = [mirrorPath, mirrorPath, hostilePath, `/${calmService}/Unary`, "/test.v1.Unknown/Get"];
/** Peers at a time. */
const lanes = 8;

/** A leak of objects ends the process, and what grows beside the heap is seen. */
const smallHeap = ["--max-old-space-size=64", "--max-semi-space-size=4"];
/** Less is no leak: what a heap of that size may take before it is collected. */
export const mayGrowBytes: number = 20 << 20;

/** Something the router must not do; how to see it again is in the text. */
export class FuzzFailure extends Error {}

/** A router among hostile clients and packages, and some that behave. Owns: the router and all its peers. */
export class FuzzRun implements AsyncDisposable {
  readonly router: RouterProcess;
  readonly #stack: AsyncDisposableStack;
  readonly #recordings = readRecordings();
  readonly #hostile: HostilePackage;
  readonly #calm: EchoClient;
  #failure: FuzzFailure | undefined;
  #seed = 0;
  #sessions = 0;
  #frames = 0;

  private constructor(
    router: RouterProcess,
    stack: AsyncDisposableStack,
    peers: { readonly hostile: HostilePackage; readonly calm: EchoClient },
  ) {
    this.router = router;
    this.#stack = stack;
    this.#hostile = peers.hostile;
    this.#calm = peers.calm;
  }

  static async start(): Promise<FuzzRun> {
    setLogVerbosity(logVerbosity.NONE); // it would tell of each broken header
    await using stack = new AsyncDisposableStack();
    const router = stack.use(await RouterProcess.start({ nodeFlags: smallHeap }));
    const socketOf = (name: string): string => router.socketPath(name);
    const started: { run?: FuzzRun } = {};
    const broken = (what: string): void => started.run?.fail(what);
    // A library's HTTP/2, with guards of its own against what hostile clients have the router send.
    stack.use(await EchoServer.listen(socketOf("calm"), calmService));
    stack.use(await Mirror.listen(socketOf("mirror"), broken));
    const hostility = { next: numbersFrom(0), recordings: readRecordings() };
    const hostilePackage = stack.use(await HostilePackage.listen(socketOf("hostile"), hostility, broken));
    await router.apply({
      packages: Object.fromEntries(["calm", "mirror", "hostile"].map((name) => [name, row(socketOf(name))])),
      routes: {
        [calmService]: "calm",
        ...Object.fromEntries(mirrored.map((service) => [service, "mirror"])),
        ...Object.fromEntries(hostile.map((service) => [service, "hostile"])),
      },
    });
    const calm = echoClient(router.mainSocket, calmService);
    stack.defer(() => calm.close());
    const run = new FuzzRun(router, stack.move(), { hostile: hostilePackage, calm });
    started.run = run;
    router.child.once("exit", (code, signal) => broken(`the router ended (${code ?? signal})`));
    return run;
  }

  /** What the router's process has that is not a file's, bytes. */
  get anonymousBytes(): number {
    const text = readFileSync(`/proc/${this.router.child.pid}/smaps_rollup`, "utf8");
    return Number(/^Anonymous:\s+(\d+) kB$/m.exec(text)?.[1] ?? Number.NaN) * 1024;
  }

  /**
   * Sends about `frames` frames made from `seed` and waits until nothing of them is left. Rejects with FuzzFailure.
   */
  async round(seed: number, frames: number): Promise<{ readonly frames: number; readonly sessions: number }> {
    this.#seed = seed;
    this.#sessions = 0;
    this.#frames = 0;
    const sentBefore = this.#hostile.sent;
    const lane = async (): Promise<void> => {
      while (this.#frames + this.#hostile.sent - sentBefore < frames && this.#failure === undefined) {
        await this.#session(this.#sessions++);
      }
    };
    try {
      await Promise.all(Array.from({ length: lanes }, lane));
      if (this.#failure === undefined) await within("what is left of hostile peers ends", this.#untilIdle());
    } catch (error) {
      this.fail(error instanceof Error ? error.message : String(error));
    }
    if (this.#failure !== undefined) throw this.#failure;
    return { frames: this.#frames + this.#hostile.sent - sentBefore, sessions: this.#sessions };
  }

  fail(what: string): void {
    const again = `npm run fuzz -- --seed ${this.#seed} --minutes 1`;
    this.#failure ??= new FuzzFailure(`seed ${this.#seed}, near session ${this.#sessions}: ${what}. Again: ${again}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.router.child.removeAllListeners("exit");
    await this.#stack.disposeAsync();
  }

  async #session(index: number): Promise<void> {
    const next = numbersFrom(this.#seed * 1_000_003 + index);
    const owner = index + 1;
    if (index % 8 === 0) this.#hostile.become({ next: numbersFrom(next(2 ** 32)), recordings: this.#recordings });
    if (index % 4 === 0) return this.#witness(next, owner);
    const broken = (what: string): void => this.fail(what);
    const options = { socket: this.router.mainSocket, paths, recordings: this.#recordings, owner, broken };
    this.#frames += await hostileClient(next, options);
  }

  /** Calls of clients that behave: those of packages that behave succeed, the others end. */
  async #witness(next: Chance, owner: number): Promise<void> {
    using witness = await Witness.connect(this.router.mainSocket, owner, (what) => this.fail(what));
    const body = (): Buffer => Buffer.from(markOf(owner).repeat(1 + next(200)));
    const ends = Array.from({ length: 3 + next(6) }, async () => {
      const sent = body();
      if (next(3) > 0) return witness.call(hostilePath, sent);
      const answer = await witness.call(mirrorPath, sent);
      if (answer.status !== "0") this.fail(`a call of a package that behaves failed with ${answer.status}`);
      if (!answer.body.equals(sent)) this.fail("a call of a package that behaves got other bytes");
      return answer;
    });
    const text = Buffer.from(String(next(2 ** 32)));
    if (!(await within("a calm call", unary(this.#calm, text))).equals(text)) this.fail("a calm call got other bytes");
    await within("every call of a hostile package ends", this.#untilAll(ends));
    await within("a connection with failed calls goes on", witness.call(mirrorPath, body()));
  }

  /** Cuts the hostile package off until no call is left: what it refused is asked again on its next connection. */
  async #untilAll(ends: readonly Promise<unknown>[]): Promise<void> {
    const over = Promise.all(ends).then(() => true);
    over.catch(() => undefined); // also while nobody waits for it
    do this.#hostile.cut();
    while (!(await Promise.race([over, this.#hostile.asked()])));
  }

  async #untilIdle(): Promise<void> {
    for (;;) {
      const { openCalls, parkedCalls, connections } = await this.router.counters();
      // The calm client keeps its connection.
      if (openCalls === 0 && parkedCalls === 0 && connections <= 1) return;
    }
  }
}
