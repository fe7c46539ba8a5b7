import type { Config, CrashLimits, StreamProcessorConfig } from "./config.ts";

/** gRPC messages, each way. (containerd: defaults.DefaultMaxRecvMsgSize.) */
export const defaultMessageBytes = 16 * 1024 * 1024;

/** containerd 1.6's `[timeouts]`; any other key means 1 s. */
export const defaultTimeoutsMs: ReadonlyMap<string, number> = new Map(
  Object.entries({
    "bolt.open": 0,
    "shim.cleanup": 5000,
    "shim.load": 5000,
    "shim.shutdown": 3000,
    "task.state": 2000,
  }).map(([name, ms]) => [`io.containerd.timeout.${name}`, ms]),
);

/** containerd's decoders of encrypted layers. */
export const defaultStreamProcessors: ReadonlyMap<string, StreamProcessorConfig> = new Map(
  ["tar", "tar+gzip"].map((layer) => [
    `io.containerd.ocicrypt.decoder.v1.${layer.replace("+", ".")}`,
    {
      accepts: [`application/vnd.oci.image.layer.v1.${layer}+encrypted`],
      returns: `application/vnd.oci.image.layer.v1.${layer}`,
      path: "ctd-decoder",
      args: ["--decryption-keys-path", "/etc/containerd/ocicrypt/keys"],
      env: ["OCICRYPT_KEYPROVIDER_CONFIG=/etc/containerd/ocicrypt/ocicrypt_keyprovider.conf"],
    },
  ]),
);

/** How long the boot waits for packages that are not required. */
export const defaultBootWaitMs = 10_000;

/** How long native packages stay up alone. */
export const defaultOrphanTimeMs = 600_000;

/** Bounds of crash reports. */
export const defaultCrashLimits: CrashLimits = {
  files: 20,
  fileBytes: 1024 * 1024,
  totalBytes: 100 * 1024 * 1024,
  reserveBytes: 64 * 1024 * 1024,
  lines: 200,
  calls: 100,
};

/** Kernel's bounds of oom_score_adj. */
export const oomScoreBounds = { min: -1000, max: 1000 } as const;

/** The words of `debug.level`. */
export const logLevels: readonly Config["debug"]["level"][] = [
  "trace",
  "debug",
  "info",
  "warn",
  "error",
  "fatal",
  "panic",
];

/** Keys at the top of the file that stand for a plugin's config. */
export const shortSections: Readonly<Record<string, { readonly type: string; readonly id: string }>> = {
  metadata: { type: "io.containerd.metadata.v1", id: "bolt" },
};
