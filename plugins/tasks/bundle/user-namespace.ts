interface MappedSpec {
  readonly linux?: { readonly gidMappings?: readonly { readonly containerID?: number; readonly hostID?: number }[] };
}

/**
 * The host's group for the container's group 0, which must be able to enter the bundle; 0: there is no user namespace
 * (containerd runtime/v2/bundle_linux.go). A spec that is no JSON is the runtime's to complain of.
 */
export function hostGroupOfRoot(spec: Uint8Array | undefined): number {
  if (spec === undefined) return 0;
  try {
    const { linux } = JSON.parse(Buffer.from(spec).toString()) as MappedSpec;
    const mapping = linux?.gidMappings?.find(({ containerID = 0 }) => containerID === 0);
    return Number.isInteger(mapping?.hostID) ? (mapping?.hostID ?? 0) : 0;
  } catch {
    return 0;
  }
}
