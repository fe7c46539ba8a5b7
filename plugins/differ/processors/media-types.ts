/** What every chain ends in. */
export const layerTar = "application/vnd.oci.image.layer.v1.tar";
export const layerGzip = `${layerTar}+gzip`;
export const layerZstd = `${layerTar}+zstd`;

const ociLayers = new Set([layerTar, "application/vnd.oci.image.layer.nondistributable.v1.tar"]);
const dockerLayers = new Set(
  ["", ".foreign"].flatMap((kind) =>
    ["tar", "tar.gzip", "tar.zstd"].map((form) => `application/vnd.docker.image.rootfs${kind}.diff.${form}`),
  ),
);

/**
 * Whether a layer of that type may be compressed, which its bytes then tell; undefined: it is no type of a layer
 * (images/mediatypes.go, DiffCompression).
 */
export function compressionOf(mediaType: string): "none" | "sniffed" | undefined {
  const [base = "", ...extensions] = mediaType.split("+");
  if (ociLayers.has(base)) {
    const last = extensions.toSorted().at(-1);
    return last === "gzip" || last === "zstd" ? "sniffed" : "none";
  }
  // A docker layer with an extension is wrapped, and somebody has unwrapped it.
  if (dockerLayers.has(base)) return extensions.length > 0 ? "none" : "sniffed";
  return undefined;
}
