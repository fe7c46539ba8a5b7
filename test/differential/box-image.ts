import { readFile } from "node:fs/promises";
import { applets, busyboxProgram } from "../harness/runtime.ts";
import { type MadeEntry, tarOf } from "../plugins/differ/tar-builder.ts";
import { talking } from "./task-steps.ts";
import { archiveIn, otherArchitecture, writeOciArchive, type MadeImage } from "./image-archives.ts";

/** An image that containers can run, for this machine. */
export const boxImage = "example.com/box:1";

/** The same for a machine that this one is not. */
export const foreignImage = "example.com/foreign:1";

const folders = ["bin", "dev", "etc", "proc", "sys", "tmp", "home", "home/user"];

/** Writes the case's `image.tar` and `foreign.tar`: busybox, users, and what a container is given unless it is told. */
export async function withBoxImage(files: string): Promise<void> {
  const bottom: readonly MadeEntry[] = [
    ...folders.map((name): MadeEntry => ({ name: `${name}/`, type: "5", mode: name === "tmp" ? 0o1777 : 0o755 })),
    { name: "bin/busybox", data: await readFile(busyboxProgram()), mode: 0o755 },
    ...applets.map((name): MadeEntry => ({ name: `bin/${name}`, type: "2", link: "busybox" })),
  ];
  const top: readonly MadeEntry[] = [
    { name: "etc/passwd", data: "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n" },
    { name: "etc/group", data: "root:x:0:\nuser:x:1000:\nmore:x:7:user\n" },
  ];
  const box: MadeImage = {
    family: "oci",
    layers: [
      { tar: tarOf(bottom), packing: "gzip" },
      { tar: tarOf(top), packing: "plain" },
    ],
    config: {
      Entrypoint: ["/bin/sh", "-c"],
      Cmd: [talking('echo "$GREETING from $(pwd) as $(id)"')],
      Env: ["PATH=/bin", "GREETING=hello"],
      WorkingDir: "/home/user",
      User: "user",
      StopSignal: "SIGUSR1",
    },
  };
  await writeOciArchive(archiveIn(files), boxImage, [box]);
  const foreign = { ...box, architecture: otherArchitecture };
  await writeOciArchive(`${files}/foreign.tar`, foreignImage, [foreign]);
}
