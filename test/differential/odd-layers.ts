import { type MadeEntry, tarOf } from "../plugins/differ/tar-builder.ts";

const epoch = 1_500_000_000;
const longName = `deep/${"long-name-".repeat(24)}end`;
/** VFS_CAP_REVISION_2 with cap_net_bind_service, effective. */
const capability = Buffer.from("0100000200040000000000000000000000000000", "hex");
const folder = (name: string, more: Partial<MadeEntry> = {}): MadeEntry => ({ name, type: "5", mode: 0o755, ...more });

/** Everything that a first layer can hold. */
const bottom: readonly MadeEntry[] = [
  folder("./", { mtime: epoch }),
  folder("bin/", { mtime: epoch + 1 }),
  { name: "bin/tool", data: "#!/bin/sh\n".repeat(900), mode: 0o4755, mtime: epoch + 2 },
  { name: "bin/group", data: "g", mode: 0o2755, gid: 42, mtime: epoch + 3 },
  { name: "bin/hard", type: "1", link: "bin/tool", mode: 0o4755, mtime: epoch + 2 },
  { name: "bin/soft", type: "2", link: "../bin/tool", mode: 0o777, mtime: epoch + 4 },
  { name: "bin/nowhere", type: "2", link: "/absent/../target", mode: 0o777, uid: 7, mtime: epoch + 5 },
  {
    name: "bin/able",
    data: "able",
    mode: 0o755,
    pax: [
      ["mtime", "1500000006.123456789"],
      ["SCHILY.xattr.security.capability", capability],
      ["SCHILY.xattr.user.note", "kept"],
    ],
  },
  folder("dev/", { mtime: epoch + 7 }),
  { name: "dev/null", type: "3", major: 1, minor: 3, mode: 0o666, mtime: epoch + 8 },
  { name: "dev/disk", type: "4", major: 7, minor: 300, mode: 0o660, gid: 6, mtime: epoch + 9 },
  { name: "dev/pipe", type: "6", mode: 0o622, mtime: epoch + 10 },
  folder("deep/", { mode: 0o1777, mtime: epoch + 11 }),
  { name: "deep/x", data: "a long one", pax: [["path", longName]], mtime: epoch + 12 },
  { name: "deep/y", data: "", pax: [["path", Buffer.from("deep/ünïcode \u{1F600}")]], mtime: epoch + 13 },
  { name: "deep/owned", data: "far", uid: 3_000_000, gid: 4_000_000_000, mtime: epoch + 14 },
  folder("gone/", { mtime: epoch + 15 }),
  { name: "gone/file", data: "to be gone" },
  folder("opaque/", { mtime: epoch + 16 }),
  { name: "opaque/below", data: "hidden" },
  folder("opaque/under/", { mtime: epoch + 17 }),
  { name: "opaque/under/most", data: "hidden" },
  { name: "turned", data: "a file that becomes a folder" },
  folder("into/", { mtime: epoch + 18 }),
  { name: "into/file", data: "a folder that becomes a file" },
  { name: "large", data: Buffer.alloc(300_000, "0123456789abcdef "), mtime: epoch + 19 },
];

/** Takes away, hides and replaces. */
const middle: readonly MadeEntry[] = [
  { name: ".wh.gone", data: "" },
  folder("opaque/", { mode: 0o700, mtime: epoch + 20 }),
  { name: "opaque/.wh..wh..opq", data: "" },
  { name: "opaque/above", data: "shown", mtime: epoch + 21 },
  { name: ".wh.turned", data: "" },
  folder("turned/", { mtime: epoch + 22 }),
  { name: "turned/inner", data: "now a folder", mtime: epoch + 23 },
  { name: "into", data: "now a file", mtime: epoch + 24 },
  folder("bin/", { mtime: epoch + 25 }),
  { name: "bin/.wh.soft", data: "" },
  { name: "bin/tool", data: "another tool", mode: 0o755, mtime: epoch + 26 },
  { name: "bin/harder", type: "1", link: "bin/tool", mode: 0o755, mtime: epoch + 26 },
  folder("etc/", { mtime: epoch + 27 }),
  { name: "etc/passwd", data: "root:x:0:0::/:/bin/sh\n", mtime: epoch + 28 },
];

/** A last few. */
const top: readonly MadeEntry[] = [
  folder("gone/", { mtime: epoch + 29 }),
  { name: "gone/again", data: "back", mtime: epoch + 30 },
  { name: "large", type: "2", link: "etc/passwd", mode: 0o777, mtime: epoch + 31 },
  folder("opaque/", { mode: 0o750, mtime: epoch + 32 }),
  { name: "opaque/.wh.above", data: "" },
  { name: "no-parent/in/the/layer", data: "deep", mtime: epoch + 33 },
];

/** Three layers of an image with an example of most that layers hold, lowest first. */
export const oddLayers: readonly Buffer[] = [tarOf(bottom), tarOf(middle), tarOf(top)];
