import type { DescMethod, DescService, MessageInitShape } from "@bufbuild/protobuf";
import { HostError } from "#proto/wire/errors.ts";
import { metadataKeys } from "#proto/wire/metadata-keys.ts";
import { codeOf } from "#proto/wire/status.ts";
import { clientOf, type CallOptions, type Channel } from "#rpc";
import { ctr } from "../harness/ctr.ts";
import { within } from "../harness/deadline.ts";
import type { Daemon } from "../harness/stock-daemon.ts";
import { plain, type Outcome } from "./outcome.ts";

/** One of the two daemons, as a case sees it. */
export interface Target {
  readonly daemon: Daemon;
  readonly channel: Channel;
  /** Namespace of this case, the same on both sides. */
  readonly namespace: string;
  /** Scratch folder of this case, holding the same files on both sides. */
  readonly files: string;
}

/** One command or call of a case. */
export interface Step {
  readonly title: string;
  run(target: Target): Promise<Outcome>;
}

export interface CallScope {
  /** Undefined: the case's; empty: no header. */
  readonly namespace?: string;
  readonly lease?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

const callMs = 20_000;

/** Runs the stock `ctr`; `{ns}` and `{files}` in arguments stand for the case's namespace and folder. */
export function run(
  args: readonly string[],
  options: { stdin?: string | Uint8Array; until?: readonly string[]; namespace?: string } = {},
): Step {
  return {
    title: `ctr ${args.join(" ")}`,
    run: async (target) => {
      const words = args.map((word) => fill(word, target));
      const { code, stdout, stderr } = await ctr(target.daemon.address, words, {
        namespace: fill(options.namespace ?? "{ns}", target),
        ...(options.stdin === undefined ? {} : { stdin: options.stdin }),
        ...(options.until === undefined ? {} : { until: options.until }),
      });
      return { code, stdout, stderr: stderr.replace(/^ctr: rpc error: code = (\w+) desc = /, "ctr: [$1] ") };
    },
  };
}

export function fill(text: string, target: Target): string {
  return text.replaceAll("{ns}", target.namespace).replaceAll("{files}", target.files);
}

/** The same step with only part of its outcome kept. */
export function view(step: Step, keep: (outcome: Outcome) => Outcome): Step {
  return { title: step.title, run: async (target) => keep(await step.run(target)) };
}

/** Keeps the lines of a command's output that match. */
export function onlyLines(pattern: RegExp, step: Step): Step {
  return view(step, (outcome) => {
    const { code, stdout, stderr } = outcome as { code: number; stdout: string; stderr: string };
    return { code, stderr, stdout: stdout.split("\n").filter((line) => pattern.test(line)) };
  });
}

/** For commands that print in no order. */
export function sortedLines(step: Step): Step {
  return view(step, (outcome) => {
    const { code, stdout, stderr } = outcome as { code: number; stdout: string; stderr: string };
    return { code, stderr, stdout: stdout.split("\n").sort() };
  });
}

type MethodName<S extends DescService> = keyof S["method"] & string;
type Request<M extends DescMethod> = MessageInitShape<M["input"]>;

/** One call with one request: every answer (one, or all of a stream), or the error's code and text. */
export function call<S extends DescService, K extends MethodName<S>>(
  service: S,
  method: K,
  request: Request<S["method"][K]>,
  scope: CallScope = {},
): Step {
  return {
    title: `${service.typeName}.${method} ${show(request)}`,
    run: (target) =>
      attempt(async (answers) => {
        const client = clientOf(service, target.channel) as Record<string, (r: unknown, o: CallOptions) => unknown>;
        const answer = client[method]?.(request, optionsOf(scope, target));
        if (answer instanceof Promise) answers.push(plain(await answer));
        else for await (const message of answer as AsyncIterable<unknown>) answers.push(plain(message));
      }),
  };
}

/** A call with a stream of requests, each sent when the one before was answered. */
export function converse<S extends DescService, K extends MethodName<S>>(
  service: S,
  method: K,
  requests: readonly Request<S["method"][K]>[],
  scope: CallScope = {},
): Step {
  return {
    title: `${service.typeName}.${method} ${requests.map(show).join(" ")}`,
    run: (target) =>
      attempt(async (answers) => {
        let answered = Promise.withResolvers<void>();
        const ordered = async function* () {
          for (const request of requests) {
            yield request;
            await answered.promise;
            answered = Promise.withResolvers<void>();
          }
        };
        const client = clientOf(service, target.channel) as unknown as Record<
          string,
          (r: AsyncIterable<unknown>, o: CallOptions) => AsyncIterable<unknown>
        >;
        try {
          for await (const message of client[method]?.(ordered(), optionsOf(scope, target)) ?? []) {
            answers.push(plain(message));
            answered.resolve();
          }
        } finally {
          answered.resolve();
        }
      }),
  };
}

/** Answers that came, and the failure if there was one, as data. */
export async function attempt(work: (answers: Outcome[]) => Promise<void>): Promise<Outcome> {
  const answers: Outcome[] = [];
  try {
    await within("the answer", work(answers), callMs);
    return { code: 0, answers };
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return { code: codeOf(error.kind), message: error.message, answers };
  }
}

export function optionsOf(scope: CallScope, target: Target): CallOptions {
  const namespace = fill(scope.namespace ?? "{ns}", target);
  return {
    metadata: {
      ...(namespace === "" ? {} : { [metadataKeys.namespace]: namespace }),
      ...(scope.lease === undefined ? {} : { [metadataKeys.lease]: scope.lease }),
      ...scope.metadata,
    },
  };
}

function show(value: unknown): string {
  const text = JSON.stringify(value, (_key, field: unknown) =>
    typeof field === "bigint"
      ? Number(field)
      : field instanceof Uint8Array
        ? `<${field.length} bytes>`
        : typeof field === "string" && field.length > 40
          ? `${field.slice(0, 37)}...`
          : field,
  );
  return text.length > 160 ? `${text.slice(0, 157)}...` : text;
}
