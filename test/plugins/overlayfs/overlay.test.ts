import assert from "node:assert/strict";
import { test } from "node:test";
import { isAtLeast, isInUserNamespace } from "../../../plugins/overlayfs/kernel-options.ts";
import { overlayMounts, type OverlayLayers } from "../../../plugins/overlayfs/overlay-mounts.ts";

const layers = (kind: OverlayLayers["kind"], lower: readonly string[], kernelOptions: readonly string[] = []) =>
  overlayMounts({ kind, upper: "/s/9/fs", work: "/s/9/work", lower, kernelOptions });

test("overlay is mounted only where something lies over something", () => {
  const bind = (source: string, access: string) => [{ type: "bind", source, options: [access, "rbind"] }];
  const overlay = (...options: readonly string[]) => [{ type: "overlay", source: "overlay", options }];
  assert.deepEqual(layers("active", []), bind("/s/9/fs", "rw"));
  assert.deepEqual(layers("view", []), bind("/s/9/fs", "ro"));
  assert.deepEqual(layers("view", ["/s/2/fs"]), bind("/s/2/fs", "ro"));
  assert.deepEqual(layers("active", ["/s/2/fs"]), overlay("workdir=/s/9/work", "upperdir=/s/9/fs", "lowerdir=/s/2/fs"));
  assert.deepEqual(
    layers("active", ["/s/2/fs", "/s/1/fs"], ["index=off", "userxattr"]),
    overlay("index=off", "userxattr", "workdir=/s/9/work", "upperdir=/s/9/fs", "lowerdir=/s/2/fs:/s/1/fs"),
  );
  assert.deepEqual(
    layers("view", ["/s/2/fs", "/s/1/fs"], ["index=off"]),
    overlay("index=off", "lowerdir=/s/2/fs:/s/1/fs"),
  );
});

test("a user namespace is told by its uid_map, and what the kernel knows by its release", () => {
  assert.equal(isInUserNamespace("         0          0 4294967295\n"), false);
  assert.equal(isInUserNamespace("         0       1000          1\n"), true);
  assert.equal(isInUserNamespace("0 0 4294967294\n"), true);
  for (const release of ["5.11.0", "5.11.0-rc1", "5.15.3-arch1", "6.1.0-13-amd64", "6.18.44-fc"]) {
    assert.equal(isAtLeast(release, [5, 11]), true, release);
  }
  for (const release of ["5.10.0-26", "4.19.0", "5.4"]) assert.equal(isAtLeast(release, [5, 11]), false, release);
});
