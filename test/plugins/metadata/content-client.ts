import { createHash } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  Content,
  WriteAction,
  type WriteContentRequestSchema,
  type WriteContentResponse,
} from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import type { CallOptions, Client } from "#rpc";

export type WriteRequest = MessageInitShape<typeof WriteContentRequestSchema>;

export function digestOf(data: string | Uint8Array): string {
  return `sha256:${createHash("sha256").update(data).digest("hex")}`;
}

/** Requests one after another, each when the one before was answered; gives every answer. */
export async function exchange(
  client: Client<typeof Content>,
  requests: readonly WriteRequest[],
  options: CallOptions,
): Promise<WriteContentResponse[]> {
  const answers: WriteContentResponse[] = [];
  let turn = Promise.withResolvers<void>();
  async function* send(): AsyncGenerator<WriteRequest> {
    for (const request of requests) {
      yield request;
      await turn.promise;
    }
  }
  for await (const answer of client.write(send(), options)) {
    answers.push(answer);
    turn.resolve();
    turn = Promise.withResolvers<void>();
  }
  return answers;
}

/** The requests of a whole upload. */
export function uploadOf(ref: string, data: Uint8Array, labels: Record<string, string> = {}): WriteRequest[] {
  return [
    { ref, total: BigInt(data.length) },
    { action: WriteAction.WRITE, data },
    { action: WriteAction.COMMIT, offset: BigInt(data.length), expected: digestOf(data), labels },
  ];
}

/** The bytes of a blob. */
export async function readAll(client: Client<typeof Content>, digest: string, options: CallOptions): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const { data } of client.read({ digest }, options)) chunks.push(data);
  return Buffer.concat(chunks);
}
