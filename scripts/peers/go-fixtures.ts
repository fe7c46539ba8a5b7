import { execa } from "execa";
import { cp, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder, projectFolder } from "./folders.ts";
import { copyWithGrpcRequests, h2specModule } from "./h2spec.ts";

/** The module with its generated code, made anew when a fixture is built; Go's own cache makes that quick. */
const module = join(cacheFolder, "go-fixtures");
const buildMs = 600_000;
const noC = { CGO_ENABLED: "0" };

/** Protocol files that the fixtures speak, and the Go packages made of them. */
const packages = {
  "acme/echo/v1/echo.proto": "acme/echo/v1",
  "acme/greeter/v1/greeter.proto": "acme/greeter/v1",
  "bulkhead/plugin/v1/plugin.proto": "bulkhead/plugin/v1",
};

/** Builds `test/fixtures/go/cmd/<command>` into `<folder>/bin/<command>`. */
export async function buildGo(command: string, folder: string): Promise<void> {
  await makeModule();
  const output = join(folder, "bin", command);
  await go(["build", "-trimpath", ...(await modulesOf(command)), "-o", output, `./cmd/${command}`], noC);
}

async function modulesOf(command: string): Promise<readonly string[]> {
  if (command !== "h2spec") return [];
  await go(["mod", "download", h2specModule], {});
  const folder = await go(["list", "-m", "-f", "{{.Dir}}", h2specModule], {});
  return [`-modfile=${await copyWithGrpcRequests(folder, module)}`];
}

async function makeModule(): Promise<void> {
  await mkdir(module, { recursive: true });
  for (const part of ["cmd", "gen"]) await rm(join(module, part), { recursive: true, force: true });
  await cp(join(projectFolder, "test/fixtures/go"), module, { recursive: true });
  const tools = ["google.golang.org/protobuf/cmd/protoc-gen-go", "google.golang.org/grpc/cmd/protoc-gen-go-grpc"];
  await go(["build", "-o", `${join(module, "tools")}/`, ...tools], noC);
  await generate();
}

async function generate(): Promise<void> {
  const names = Object.entries(packages).map(([file, path]) => `M${file}=acme.example/fixtures/gen/${path}`);
  const opt = ["paths=source_relative", ...names];
  const plugin = (name: string) => ({ local: join(module, "tools", name), out: join(module, "gen"), opt });
  const template = {
    version: "v2",
    inputs: [
      { directory: join(projectFolder, "test/fixtures/proto"), paths: ["acme/echo", "acme/greeter"].map(fixtureProto) },
      { directory: join(projectFolder, "proto"), paths: [join(projectFolder, "proto/bulkhead/plugin")] },
    ],
    plugins: [plugin("protoc-gen-go"), plugin("protoc-gen-go-grpc")],
  };
  const file = join(module, "buf.gen.json");
  await writeFile(file, JSON.stringify(template));
  await execa("buf", ["generate", "--template", file], { cwd: projectFolder, preferLocal: true, timeout: buildMs });
}

function fixtureProto(path: string): string {
  return join(projectFolder, "test/fixtures/proto", path);
}

/** Gives what the command prints. */
async function go(args: readonly string[], env: Record<string, string>): Promise<string> {
  const all = { ...env, GOFLAGS: "-mod=readonly", GOWORK: "off" };
  return (await execa("go", args, { cwd: module, timeout: buildMs, env: all })).stdout;
}
