import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { HostError } from "#proto/wire/errors.ts";

const uuidShape = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * The host's lasting uuid, made at the first question in containerd's own place,
 * `<root>/io.containerd.grpc.v1.introspection/uuid` (services/introspection/local.go).
 * Throws internal when the file can be neither read nor made.
 */
export async function hostUuid(root: string): Promise<string> {
  const folder = join(root, "io.containerd.grpc.v1.introspection");
  const file = join(folder, "uuid");
  const known = (await readFile(file, "utf8").catch(() => "")).trim();
  if (uuidShape.test(known)) return known;
  const made = randomUUID();
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeFile(`${file}.new`, made, { mode: 0o644 });
    await rename(`${file}.new`, file); // a crash in between must not leave half a uuid
    return made;
  } catch (cause) {
    throw new HostError("internal", `keep the host's uuid in ${file}: ${(cause as Error).message}`, { cause });
  }
}

/** Inode number of this process's pid namespace; 0 where /proc does not say. */
export async function pidNamespace(): Promise<bigint> {
  return stat("/proc/self/ns/pid", { bigint: true }).then(
    (found) => found.ino,
    () => 0n,
  );
}
