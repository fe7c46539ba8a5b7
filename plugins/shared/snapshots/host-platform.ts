/** The platform whose images can be unpacked here, as containerd names it. */
export function hostPlatform() {
  if (process.arch === "arm64") return { os: "linux", architecture: "arm64", variant: "v8" };
  return { os: "linux", architecture: process.arch === "x64" ? "amd64" : process.arch };
}
