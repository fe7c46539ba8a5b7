import { Control } from "#proto/gen/bulkhead/control/v1/control_pb.ts";
import { clientOf, type CallOptions, type Client } from "#rpc";
import type { SocketName } from "./addresses.ts";
import { withDaemon } from "./daemon-channel.ts";
import type { GlobalFlags } from "./globals.ts";

/** A question to control that takes an argument. */
export type ControlCall<T, A> = (client: Client<typeof Control>, argument: A, call: CallOptions) => Promise<T>;

/** How long control may take for an answer that it has at hand. */
const answerTimeMs = 10_000;

/**
 * Asks bulkhead.control.v1 on one of the daemon's sockets. `attempt`: what is being done, for the error's text.
 * Throws CommandFailure.
 */
export function callControl<T>(
  socket: SocketName,
  globals: GlobalFlags,
  attempt: string,
  ask: (client: Client<typeof Control>, call: CallOptions) => Promise<T>,
): Promise<T> {
  return withDaemon(socket, globals, attempt, (channel) =>
    ask(clientOf(Control, channel), { deadlineMs: Date.now() + answerTimeMs }),
  );
}
