import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { debianRoot } from "../../scripts/peers/folders.ts";
import { Child } from "./child.ts";
import { makeTempFolder } from "./temp-folder.ts";

/** Debian's image registry on loopback. Owns: its process and temp folder. */
export interface DockerRegistry extends AsyncDisposable {
  /** `address:port`, as references begin. */
  readonly host: string;
}

/** Starts one on a free port; resolves when it listens. */
export async function startDockerRegistry(): Promise<DockerRegistry> {
  await using owned = new AsyncDisposableStack();
  const folder = owned.use(await makeTempFolder("reg"));
  const config = folder.join("config.yml");
  await writeFile(
    config,
    [
      "version: 0.1",
      `storage: { filesystem: { rootdirectory: ${folder.join("blobs")} } }`,
      "http: { addr: 127.0.0.1:0 }",
      "",
    ].join("\n"),
  );
  const program = join(debianRoot("docker-registry"), "usr/bin/docker-registry");
  const child = owned.use(new Child(program, ["serve", config], { env: { HOME: folder.path } }));
  const line = await child.output.waitFor(/listening on 127\.0\.0\.1:\d+/);
  const host = /127\.0\.0\.1:\d+/.exec(line)?.[0];
  if (host === undefined) throw new Error(`the registry does not say where it listens: ${line}`);
  const kept = owned.move();
  return { host, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}
