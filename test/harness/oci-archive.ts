import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";

/** Packs an image of these folders, one a layer, lowest first, as an OCI archive that `ctr image import` takes. */
export async function packImage(work: string, name: string, layers: readonly string[]): Promise<string> {
  const blobs = join(work, "image/blobs/sha256");
  await mkdir(blobs, { recursive: true });
  const add = async (bytes: Buffer, mediaType: string) => {
    const hex = createHash("sha256").update(bytes).digest("hex");
    await writeFile(join(blobs, hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const addJson = (value: unknown, mediaType: string) => add(Buffer.from(JSON.stringify(value)), mediaType);
  const packed = [];
  for (const folder of layers) {
    const file = join(work, "layer.tar");
    await execa("tar", ["--numeric-owner", "-C", folder, "-cf", file, "."]);
    packed.push(await add(await readFile(file), "application/vnd.oci.image.layer.v1.tar"));
  }
  const architecture = process.arch === "arm64" ? "arm64" : "amd64";
  const rootfs = { type: "layers", diff_ids: packed.map(({ digest }) => digest) };
  const config = await addJson({ architecture, os: "linux", rootfs }, "application/vnd.oci.image.config.v1+json");
  const manifestType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = await addJson({ schemaVersion: 2, mediaType: manifestType, config, layers: packed }, manifestType);
  const annotations = { "io.containerd.image.name": name, "org.opencontainers.image.ref.name": "1" };
  const index = { schemaVersion: 2, manifests: [{ ...manifest, annotations }] };
  await writeFile(join(work, "image/index.json"), JSON.stringify(index));
  await writeFile(join(work, "image/oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  const archive = join(work, "image.tar");
  await execa("tar", ["-C", join(work, "image"), "-cf", archive, "oci-layout", "index.json", "blobs"]);
  return archive;
}
