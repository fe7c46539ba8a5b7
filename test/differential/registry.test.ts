import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after } from "node:test";
import { absentDigest } from "./bad-input.ts";
import { digestOf } from "./blobs.ts";
import { compareCases } from "./compare.ts";
import { startRegistry } from "./registry.ts";
import { run, view, type Step } from "./steps.ts";
import { write } from "./writes.ts";

const manifestType = "application/vnd.oci.image.manifest.v1+json";
const layerType = "application/vnd.oci.image.layer.v1.tar";
const layer = "not really a tar";
const config = JSON.stringify({
  architecture: "amd64",
  os: "linux",
  rootfs: { type: "layers", diff_ids: [digestOf(layer)] },
});
const manifest = JSON.stringify({
  schemaVersion: 2,
  mediaType: manifestType,
  config: { mediaType: "application/vnd.oci.image.config.v1+json", digest: digestOf(config), size: config.length },
  layers: [{ mediaType: layerType, digest: digestOf(layer), size: layer.length }],
});
const registry = await startRegistry({
  manifest,
  manifestType,
  blobs: new Map([config, layer, manifest].map((text) => [digestOf(text), text])),
});
after(() => registry[Symbol.asyncDispose]());

/** Said when the command is done while its drawing of progress still asks something. */
const progressCut = /^.*msg="(?:failed to get content info|active check failed)" error="context canceled"\n/gm;

/** What a command that draws progress ended with. */
function ended(step: Step): Step {
  return view(step, (outcome) => {
    const { code, stderr } = outcome as { code: number; stderr: string };
    return { code, stderr: stderr.replaceAll(progressCut, "") };
  });
}

const pushed: Step = {
  title: "what the registry was given last",
  run: () => Promise.resolve(registry.pushed.at(-1) ?? null),
};

/** Writes into the very file that it is given, as ctr holds it open. */
const editor = '#!/bin/sh\nprintf "truly a tar" > "$1"\n';
/** Stock collects what nothing refers to. */
const kept = { "containerd.io/gc.root": "now" };

compareCases("registry", [
  {
    title: "ctr fetches an image, prunes its references and lists what is left",
    steps: [
      ended(run(["content", "fetch", "--plain-http", registry.image])),
      run(["image", "ls"]),
      run(["content", "ls"]),
      run(["content", "active"]),
      ended(run(["content", "fetch", "--plain-http", registry.image])),
      run(["content", "ls"]),
      run(["image", "check", "-q", "name==absent"]),
      ended(run(["content", "prune", "references", "--dry"])),
      run(["content", "ls", "-q"]),
      ended(run(["content", "prune", "references", "--async"])),
      run(["content", "ls", `digest==${digestOf(manifest)}`]),
      run(["leases", "ls"]),
    ],
  },
  {
    title: "ctr fetches what is not there",
    steps: [
      ended(run(["content", "fetch", "--plain-http", `${registry.repository}:absent`])),
      run(["content", "ls"]),
      run(["image", "ls"]),
      run(["leases", "ls"]),
    ],
  },
  {
    title: "ctr edits a blob and pushes it",
    prepare: async (folder) => {
      await writeFile(join(folder, "editor"), editor);
      await chmod(join(folder, "editor"), 0o755);
    },
    steps: [
      write([{ ref: "layer" }, { action: "COMMIT", data: Buffer.from(layer), labels: kept }]),
      run(["content", "edit", "--editor", "{files}/editor", digestOf(layer)]),
      run(["content", "ls", `digest==${digestOf(layer)}`]),
      run(["content", "edit", "--editor", "{files}/editor", absentDigest]),
      run(["content", "edit", "--editor", "{files}/editor", "nonsense"]),
      run(["content", "edit", "--editor", "/bin/false", digestOf(layer)]),
      ended(run(["content", "push-object", "--plain-http", registry.repository, digestOf(layer), layerType])),
      pushed,
      ended(run(["content", "push-object", "--plain-http", registry.repository, absentDigest, layerType])),
      ended(run(["content", "push-object", "--plain-http", registry.repository, "nonsense", layerType])),
    ],
  },
  {
    title: "ctr installs into a folder from an image that is there, and names one that is not",
    steps: [
      ended(run(["content", "fetch", "--plain-http", registry.image])),
      run(["install", "--path", "{files}/opt", registry.image]),
      run(["install", "--path", "{files}/opt", "absent"]),
    ],
  },
]);
