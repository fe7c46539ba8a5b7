import assert from "node:assert/strict";
import { create, createFileRegistry, fromBinary, type DescService } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { test } from "node:test";
import { ServerReflection, type ServerReflectionRequest } from "#proto/gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionV1Alpha } from "#proto/gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { reflectionServices, serve, sourceOfDescriptors, type Service } from "#rpc";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { declaration, packageView, plugin, SampleSupervision } from "./sample-supervision.ts";
import { ServedControl } from "./served-control.ts";

type Question = ServerReflectionRequest["messageRequest"];

/** A descriptor that no code of ours was compiled with. */
function foreignService(): DescService {
  const common = create(FileDescriptorProtoSchema, {
    name: "acme/common.proto",
    package: "acme.v1",
    syntax: "proto3",
    messageType: [{ name: "Nothing" }],
  });
  const thing = create(FileDescriptorProtoSchema, {
    name: "acme/thing.proto",
    package: "acme.v1",
    syntax: "proto3",
    dependency: [common.name],
    service: [
      { name: "Thing", method: [{ name: "Do", inputType: ".acme.v1.Nothing", outputType: ".acme.v1.Nothing" }] },
    ],
  });
  const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: [common, thing] }));
  const service = registry.getService("acme.v1.Thing");
  assert.ok(service);
  return service;
}

async function ask(
  control: ServedControl,
  reflection: typeof ServerReflection | typeof ServerReflectionV1Alpha,
  messageRequest: Question,
) {
  const requests = (async function* () {
    yield { host: "h", messageRequest };
  })();
  for await (const answer of control.client(reflection as typeof ServerReflection).serverReflectionInfo(requests)) {
    return answer.messageResponse;
  }
  throw new Error("no answer");
}

async function filesOf(control: ServedControl, messageRequest: Question): Promise<string[]> {
  const answer = await ask(control, ServerReflection, messageRequest);
  assert.equal(answer.case, "fileDescriptorResponse", JSON.stringify(answer.value));
  const files = answer.value as { fileDescriptorProto: Uint8Array[] };
  return files.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name);
}

const acme = declaration("acme.thing.v1", "one", { routes: ["acme.v1.Thing", "acme.v1.Silent"] });

for (const reflection of [ServerReflection, ServerReflectionV1Alpha]) {
  test(`${reflection.typeName} lists control's own and every routed service`, async () => {
    await using control = await ServedControl.start(new SampleSupervision(packageView("acme", [plugin(acme)])));
    const answer = await ask(control, reflection, { case: "listServices", value: "" });
    assert.equal(answer.case, "listServicesResponse");
    const names = (answer.value as { service: { name: string }[] }).service.map(({ name }) => name);
    assert.deepEqual(names, [
      "acme.v1.Silent",
      "acme.v1.Thing",
      "bulkhead.control.v1.Control",
      "containerd.services.introspection.v1.Introspection",
      "containerd.services.version.v1.Version",
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
    ]);
  });
}

test("reflection describes our services with all they import", async () => {
  await using control = await ServedControl.start(new SampleSupervision());
  const names = await filesOf(control, {
    case: "fileContainingSymbol",
    value: "containerd.services.version.v1.Version",
  });
  assert.deepEqual(names, ["containerd/services/version/v1/version.proto", "google/protobuf/empty.proto"]);
  const [file] = await filesOf(control, { case: "fileByFilename", value: "containerd/types/types.proto" });
  assert.equal(file, "containerd/types/types.proto");
  const answer = await ask(control, ServerReflection, { case: "fileContainingSymbol", value: "no.such.Thing" });
  assert.equal(answer.case, "errorResponse");
});

for (const version of ["v1", "v1alpha"]) {
  test(`a foreign package's descriptors come from its own reflection ${version}, once a generation`, async () => {
    await using folder = await makeTempFolder();
    const socket = folder.join("acme.sock");
    let asked = 0;
    const source = sourceOfDescriptors(() => [foreignService()]);
    const counting = { ...source, fileOfSymbol: (name: string) => ((asked += 1), source.fileOfSymbol(name)) };
    const offered = reflectionServices(counting).filter(({ name }) => name.startsWith(`grpc.reflection.${version}.`));
    await using server = serve({ services: offered });
    await server.listen(socket);
    const supervision = new SampleSupervision(packageView("acme", [plugin(acme)], { socket, tier: "proxy" }));
    await using control = await ServedControl.start(supervision);
    const wanted = ["acme/thing.proto", "acme/common.proto"];
    assert.deepEqual(await filesOf(control, { case: "fileContainingSymbol", value: "acme.v1.Thing" }), wanted);
    assert.deepEqual(await filesOf(control, { case: "fileContainingSymbol", value: "acme.v1.Thing.Do" }), wanted);
    assert.deepEqual(await filesOf(control, { case: "fileContainingSymbol", value: "acme.v1.Nothing" }), [wanted[1]]);
    assert.deepEqual(await filesOf(control, { case: "fileByFilename", value: "acme/common.proto" }), [wanted[1]]);
    assert.equal(asked, 2, "one question for each routed service");
    supervision.change("acme", { generation: 2 });
    await filesOf(control, { case: "fileContainingSymbol", value: "acme.v1.Thing" });
    assert.equal(asked, 4);
  });
}

test("of a package without reflection, or away, only names are known", async () => {
  await using folder = await makeTempFolder();
  const socket = folder.join("acme.sock");
  const none: Service[] = [];
  await using server = serve({ services: none });
  await server.listen(socket);
  const views = [
    packageView("acme", [plugin(acme)], { socket }),
    packageView("away", [plugin(declaration("a", "b", { routes: ["away.v1.Away"] }))], { state: "backoff" }),
  ];
  await using control = await ServedControl.start(new SampleSupervision(...views));
  for (const value of ["acme.v1.Thing", "away.v1.Away"]) {
    const answer = await ask(control, ServerReflection, { case: "fileContainingSymbol", value });
    assert.equal(answer.case, "errorResponse");
    assert.equal((answer.value as { errorCode: number }).errorCode, 5);
  }
});
