import { chmod, cp, glob, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** The Go module whose cases are run. */
export const h2specModule = "github.com/summerwind/h2spec";

const plainFields = `		HeaderField(":method", "GET"),
		HeaderField(":scheme", scheme),
		HeaderField(":path", c.Path),
		HeaderField(":authority", authority),
`;
const grpcFields = `${plainFields.replace('"GET"', '"POST"')}		HeaderField("content-type", "application/grpc"),
		HeaderField("te", "trailers"),
`;

/**
 * Makes a copy of h2spec in `module` whose requests are gRPC requests: to others the router gives a short refusal, and
 * the cases about windows need a body. Gives the file for `go build -modfile` that uses the copy. Throws when h2spec's
 * source is not what this was written for.
 */
export async function copyWithGrpcRequests(h2specFolder: string, module: string): Promise<string> {
  const copy = join(module, "h2spec");
  await rm(copy, { recursive: true, force: true });
  await cp(h2specFolder, copy, { recursive: true });
  // Go keeps its modules unwritable.
  for await (const entry of glob("**", { cwd: copy })) await chmod(join(copy, entry), 0o755);
  await chmod(copy, 0o755);
  const source = join(copy, "spec/util.go");
  const text = await readFile(source, "utf8");
  if (text.split(plainFields).length !== 2) throw new Error(`${source} does not make requests as it used to`);
  await writeFile(source, text.replace(plainFields, grpcFields));
  await writeFile(join(copy, "go.mod"), `module ${h2specModule}\n`);
  const file = join(module, "h2spec.mod");
  const modules = await readFile(join(module, "go.mod"), "utf8");
  await writeFile(file, `${modules}\nreplace ${h2specModule} => ./h2spec\n`);
  await cp(join(module, "go.sum"), join(module, "h2spec.sum"));
  return file;
}
