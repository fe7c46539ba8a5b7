import { toBinary, type DescFile, type DescService } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import {
  ServerReflection as ServerReflectionV1,
  type ServerReflectionRequest,
} from "#proto/gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionV1Alpha } from "#proto/gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { implement } from "./implement.ts";
import type { Service } from "./types.ts";

/** Where reflection finds its answers; an undefined answer is "not found". */
export interface ReflectionSource {
  /** Full names of all services. */
  services(): readonly string[];
  /** Serialized FileDescriptorProtos: the file that declares the symbol, then all it imports. */
  fileOfSymbol(symbol: string): Promise<readonly Uint8Array[] | undefined>;
  fileByName(name: string): Promise<readonly Uint8Array[] | undefined>;
}

/** grpc.reflection v1 and v1alpha over a source. */
export function reflectionServices(source: ReflectionSource): Service[] {
  const info = async function* (requests: AsyncIterable<Pick<ServerReflectionRequest, "host" | "messageRequest">>) {
    for await (const request of requests) {
      const { host, messageRequest } = request;
      yield {
        validHost: host,
        originalRequest: { host, messageRequest },
        messageResponse: await answer(source, request),
      };
    }
  };
  return [
    implement(ServerReflectionV1, { serverReflectionInfo: info as never }),
    implement(ServerReflectionV1Alpha, { serverReflectionInfo: info as never }),
  ];
}

/** A source over compiled descriptors; the list may grow between calls. */
export function sourceOfDescriptors(services: () => readonly DescService[]): ReflectionSource {
  const files = () => services().map((service) => service.file);
  return {
    services: () => services().map((service) => service.typeName),
    fileOfSymbol: (symbol) => Promise.resolve(withImports(findSymbol(files(), symbol))),
    fileByName: (name) => Promise.resolve(withImports(allFiles(files()).find((file) => `${file.name}.proto` === name))),
  };
}

async function answer(source: ReflectionSource, request: Pick<ServerReflectionRequest, "messageRequest">) {
  const { messageRequest } = request;
  switch (messageRequest.case) {
    case "listServices": {
      const service = [...source.services()].sort().map((name) => ({ name }));
      return { case: "listServicesResponse", value: { service } } as const;
    }
    case "fileByFilename":
      return fileResponse(await source.fileByName(messageRequest.value), messageRequest.value);
    case "fileContainingSymbol":
      return fileResponse(await source.fileOfSymbol(messageRequest.value), messageRequest.value);
    case "fileContainingExtension":
    case "allExtensionNumbersOfType":
    case undefined:
      return errorResponse(12, "extensions are not offered");
  }
}

function fileResponse(files: readonly Uint8Array[] | undefined, wanted: string) {
  if (files === undefined) return errorResponse(5, `${wanted}: not found`);
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto: [...files] } } as const;
}

function errorResponse(errorCode: number, errorMessage: string) {
  return { case: "errorResponse", value: { errorCode, errorMessage } } as const;
}

function allFiles(files: Iterable<DescFile>): DescFile[] {
  const seen = new Map<string, DescFile>();
  const visit = (file: DescFile): void => {
    if (seen.has(file.name)) return;
    seen.set(file.name, file);
    for (const dependency of file.dependencies) visit(dependency);
  };
  for (const file of files) visit(file);
  return [...seen.values()];
}

function findSymbol(files: Iterable<DescFile>, symbol: string): DescFile | undefined {
  return allFiles(files).find((file) => declares(file, symbol));
}

function declares(file: DescFile, symbol: string): boolean {
  if (file.proto.package !== "" && !symbol.startsWith(`${file.proto.package}.`)) return false;
  const messages = (list: DescFile["messages"]): boolean =>
    list.some(
      (message) =>
        message.typeName === symbol ||
        message.nestedEnums.some((nested) => nested.typeName === symbol) ||
        messages(message.nestedMessages),
    );
  return (
    file.services.some(
      (service) =>
        service.typeName === symbol ||
        service.methods.some((method) => `${service.typeName}.${method.name}` === symbol),
    ) ||
    file.enums.some((declared) => declared.typeName === symbol) ||
    messages(file.messages)
  );
}

function withImports(file: DescFile | undefined): readonly Uint8Array[] | undefined {
  return file && allFiles([file]).map((each) => toBinary(FileDescriptorProtoSchema, each.proto));
}
