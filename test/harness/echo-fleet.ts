import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fixtureFolder } from "./peers.ts";
import type { TempFolder } from "./temp-folder.ts";

/**
 * Manifests of that many packages below `folder`, each a process of its own of the one Go echo binary; gives the
 * config line that has them found. Only the first is called at the echo service's name.
 */
export async function echoFleet(folder: TempFolder, packages: number): Promise<string> {
  const binary = join(fixtureFolder("go-echo"), "bin/echo");
  const target = folder.join("fleet");
  await Promise.all(
    Array.from({ length: packages }, async (_, at) => {
      const name = `echo-${at}`;
      await mkdir(join(target, name), { recursive: true });
      await writeFile(join(target, name, "plugin.yaml"), manifestOf(name, binary, at === 0 ? "Echo" : `Echo${at}`));
    }),
  );
  return `plugin_dirs: [${target}]\n`;
}

function manifestOf(name: string, binary: string, service: string): string {
  return `
manifest: 1
name: ${name}
version: 1.0.0
protocol: proxy
command: [${binary}, --listen, "\${socket}", --name, "\${package}"]
plugins: [{ type: acme.fleet.v1, id: ${name}, routes: [acme.echo.v1.${service}] }]
`;
}
