import { create, createFileRegistry, fromBinary, toBinary, type DescService } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema, type FileDescriptorProto } from "@bufbuild/protobuf/wkt";
import {
  ServerReflection,
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
  type ServerReflectionRequest,
} from "#proto/gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionV1Alpha } from "#proto/gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { HostError, isHostError } from "#proto/wire/errors.ts";
import type { Channel } from "#rpc";

/** What a package's own reflection may cost control, for all its services together. */
const limits = { files: 512, bytes: 8 * 1024 * 1024, timeMs: 5000 } as const;

type Question = ServerReflectionRequest["messageRequest"];

/**
 * Asks a package's own reflection (v1, else v1alpha) for the descriptors of `services`. Services it does not
 * know are left out. Throws unimplemented when it offers no reflection, resource-exhausted beyond the limits,
 * and data-loss when the files do not fit together.
 */
export async function fetchDescriptors(channel: Channel, services: readonly string[]): Promise<DescService[]> {
  const deadlineMs = Date.now() + limits.timeMs;
  try {
    return await fetchWith(channel, ServerReflection.typeName, services, deadlineMs);
  } catch (error) {
    if (!isHostError(error, "unimplemented")) throw error;
    return fetchWith(channel, ServerReflectionV1Alpha.typeName, services, deadlineMs);
  }
}

async function fetchWith(
  channel: Channel,
  reflection: string,
  services: readonly string[],
  deadlineMs: number,
): Promise<DescService[]> {
  const files = new Map<string, FileDescriptorProto>();
  const path = `/${reflection}/ServerReflectionInfo`;
  let questions: Question[] = services.map((value) => ({ case: "fileContainingSymbol", value }));
  let bytes = 0;
  for (const asked = new Set<string>(); questions.length > 0; ) {
    for (const question of questions) if (question.case === "fileByFilename") asked.add(question.value);
    for await (const file of ask(channel, path, questions, deadlineMs)) {
      bytes += file.length;
      if (bytes > limits.bytes || files.size >= limits.files) throw tooLarge(channel);
      const proto = fromBinary(FileDescriptorProtoSchema, file);
      files.set(proto.name, proto);
    }
    const imports = [...files.values()].flatMap((file) => file.dependency);
    const missing = [...new Set(imports)].filter((name) => !files.has(name) && !asked.has(name));
    questions = missing.map((value) => ({ case: "fileByFilename", value }));
  }
  return servicesIn(files, services);
}

/** Puts all questions on one stream; gives the files of all answers, errors of single questions left out. */
async function* ask(
  channel: Channel,
  path: string,
  questions: readonly Question[],
  deadlineMs: number,
): AsyncGenerator<Uint8Array> {
  const requests = questions.map((messageRequest) =>
    toBinary(ServerReflectionRequestSchema, create(ServerReflectionRequestSchema, { messageRequest })),
  );
  for await (const bytes of channel.raw(path, requests, { deadlineMs })) {
    const { messageResponse } = fromBinary(ServerReflectionResponseSchema, bytes);
    if (messageResponse.case === "fileDescriptorResponse") yield* messageResponse.value.fileDescriptorProto;
  }
}

function servicesIn(files: ReadonlyMap<string, FileDescriptorProto>, services: readonly string[]): DescService[] {
  try {
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: inImportOrder(files) }));
    return services.flatMap((name) => registry.getService(name) ?? []);
  } catch (cause) {
    const text = `read descriptors from a package's reflection: ${(cause as Error).message}`;
    throw new HostError("data-loss", text, { cause });
  }
}

/** Imports before importers, as a file registry wants them; a cycle is cut and found by the registry. */
function inImportOrder(files: ReadonlyMap<string, FileDescriptorProto>): FileDescriptorProto[] {
  const ordered = new Set<FileDescriptorProto>();
  const entered = new Set<string>();
  const visit = (name: string): void => {
    const file = files.get(name);
    if (file === undefined || entered.has(name)) return;
    entered.add(name);
    file.dependency.forEach(visit);
    ordered.add(file);
  };
  for (const name of files.keys()) visit(name);
  return [...ordered];
}

function tooLarge(channel: Channel): HostError {
  const text = `read descriptors from ${channel.target}: over ${limits.files} files or ${limits.bytes} bytes`;
  return new HostError("resource-exhausted", text);
}
