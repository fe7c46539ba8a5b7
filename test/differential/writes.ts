import { Content, WriteAction } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { clientOf } from "#rpc";
import { plain } from "./outcome.ts";
import { attempt, optionsOf, type CallScope, type Step } from "./steps.ts";

/** One message of a write, with numbers as numbers. */
export interface WriteMessage {
  readonly action?: "STAT" | "WRITE" | "COMMIT" | number;
  readonly ref?: string;
  readonly total?: number;
  readonly expected?: string;
  readonly offset?: number;
  readonly data?: Uint8Array;
  readonly labels?: Readonly<Record<string, string>>;
}

/**
 * A write stream: each message is sent when the one before was answered, then the client half-closes.
 * `between` runs after each answer, with how many came.
 */
export function write(
  messages: readonly WriteMessage[],
  scope: CallScope = {},
  between?: (answered: number) => Promise<void>,
): Step {
  return {
    title: `write ${messages.map(show).join(" ")}${scope.namespace === undefined ? "" : ` in "${scope.namespace}"`}`,
    run: (target) =>
      attempt(async (answers) => {
        let answered = Promise.withResolvers<void>();
        const requests = async function* () {
          for (const message of messages) {
            yield requestOf(message);
            await answered.promise;
            answered = Promise.withResolvers<void>();
          }
        };
        try {
          for await (const answer of clientOf(Content, target.channel).write(requests(), optionsOf(scope, target))) {
            answers.push(plain(answer));
            await between?.(answers.length);
            answered.resolve();
          }
        } finally {
          answered.resolve();
        }
      }),
  };
}

function requestOf(message: WriteMessage) {
  const { action, total, offset, labels, ...rest } = message;
  return {
    ...rest,
    action: typeof action === "number" ? (action as WriteAction) : WriteAction[action ?? "STAT"],
    total: BigInt(total ?? 0),
    offset: BigInt(offset ?? 0),
    labels: { ...labels },
  };
}

function show(message: WriteMessage): string {
  const facts = Object.entries(message).map(([key, value]) =>
    value instanceof Uint8Array ? `${key}=<${value.length} bytes>` : `${key}=${JSON.stringify(value).slice(0, 30)}`,
  );
  return `{${facts.join(" ")}}`;
}
