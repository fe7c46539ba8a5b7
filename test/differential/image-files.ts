import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { digestOf } from "./blobs.ts";

export const manifestType = "application/vnd.oci.image.manifest.v1+json";

/** Writes `image.tar`, an OCI archive of one tiny image with two names. */
export async function makeImage(folder: string): Promise<void> {
  const layout = join(folder, "layout");
  await mkdir(join(layout, "blobs/sha256"), { recursive: true });
  const put = async (text: string, mediaType: string) => {
    const digest = digestOf(text);
    await writeFile(join(layout, "blobs/sha256", digest.slice(7)), text);
    return { mediaType, digest, size: Buffer.byteLength(text) };
  };
  const layer = await put("not really a tar", "application/vnd.oci.image.layer.v1.tar");
  const config = await put(
    JSON.stringify({ architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [layer.digest] } }),
    "application/vnd.oci.image.config.v1+json",
  );
  const manifest = await put(
    JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config, layers: [layer] }),
    manifestType,
  );
  const named = (name: string) => ({ ...manifest, annotations: { "io.containerd.image.name": name } });
  const index = { schemaVersion: 2, manifests: [named("example.com/one:1"), named("example.com/two:2")] };
  await writeFile(join(layout, "index.json"), JSON.stringify(index));
  await writeFile(join(layout, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  await execa("tar", [
    "--sort=name",
    "-cf",
    join(folder, "image.tar"),
    "-C",
    layout,
    "oci-layout",
    "index.json",
    "blobs",
  ]);
}
