import { entryBytes, gnuLong, headerBlock, padded, putNumber, tarOf, type MadeEntry } from "./tar-builder.ts";

/** A layer that both daemons are given, on the same ground. */
export interface RuleCase {
  readonly title: string;
  readonly layer: Buffer;
  /** What lies below, as a layer of its own. */
  readonly base?: Buffer;
  /** Where ours differs on purpose: why. Ours then has to succeed or fail as said. */
  readonly differs?: { readonly reason: string; readonly ours: "ok" | "fails" };
}

const folder = (name: string, more: Partial<MadeEntry> = {}): MadeEntry => ({ name, type: "5", mode: 0o755, ...more });
const file = (name: string, data = name, more: Partial<MadeEntry> = {}): MadeEntry => ({ name, data, ...more });

const base = tarOf([
  folder("a/", { mode: 0o750, uid: 7, gid: 8, mtime: 1_500_000_000 }),
  folder("a/inner/", { mode: 0o1777, pax: [["SCHILY.xattr.user.note", "lower"]] }),
  file("a/inner/old"),
  file("a/file"),
  folder("gone/"),
  file("gone/x"),
  { name: "link", type: "2", link: "a/inner" },
  { name: "up", type: "2", link: "../../a" },
  { name: "dangling", type: "2", link: "nowhere/at/all" },
  { name: "loop", type: "2", link: "loop" },
  file("plain"),
]);

const capability = Buffer.from("0100000200040000000000000000000000000000", "hex");

/** Old GNU sparse: two runs in a file of 20,000 bytes. */
function gnuSparse(): Buffer {
  const data = Buffer.concat([Buffer.alloc(512, "a"), Buffer.alloc(512, "b")]);
  const block = headerBlock(
    {
      name: "sparse",
      type: "S",
      form: "gnu",
      size: 1024,
      patch: (header) => {
        putNumber(header, 386, 12, 1024);
        putNumber(header, 398, 12, 512);
        putNumber(header, 410, 12, 8192);
        putNumber(header, 422, 12, 512);
        putNumber(header, 483, 12, 20_000);
      },
    },
    1024,
  );
  return Buffer.concat([block, data, Buffer.alloc(1024)]);
}

const sparseMap = padded(Buffer.from("2\n1024\n512\n8192\n512\n"));
const sparseData = Buffer.concat([Buffer.alloc(512, "a"), Buffer.alloc(512, "b")]);

export const ruleCases: readonly RuleCase[] = [
  {
    title: "files, folders, modes, owners and times",
    layer: tarOf([
      folder("d/", { mode: 0o1777, mtime: 1 }),
      file("d/suid", "x", { mode: 0o6755, uid: 3, gid: 4 }),
      file("d/group", "x", { mode: 0o664 }),
      file("d/none", "", { mode: 0 }),
      file("d/typed", "x", { mode: 0o100644 }),
      folder("d/setgid/", { mode: 0o2755, gid: 9 }),
      file("d/setgid/child", "x"),
      folder("d/setgid/folder/"),
      file("d/setgid/missing/child", "x"),
      file("d/late", "x", {
        pax: [
          ["mtime", "1234567890.123456789"],
          ["atime", "1300000000.000000001"],
        ],
      }),
      file("d/early", "x", {
        pax: [
          ["mtime", "1234567890.5"],
          ["atime", "1200000000"],
        ],
      }),
      file("d/before", "x", { pax: [["mtime", "-1.5"]] }),
      file("d/far", "x", { pax: [["mtime", "99999999999"]] }),
      file("d/edge", "x", { pax: [["mtime", "9223372036.854775807"]] }),
      file("d/over", "x", { pax: [["mtime", "9223372036.854775808"]] }),
    ]),
  },
  {
    title: "large ids in PAX and base-256",
    layer: tarOf([
      file("pax", "x", {
        pax: [
          ["uid", "3000000"],
          ["gid", "4294967294"],
        ],
      }),
      file("gnu", "x", { form: "gnu", uid: 5_000_000, gid: 6_000_000 }),
      { name: "link", type: "2", link: "pax", uid: 70_000, gid: 70_001 },
    ]),
  },
  {
    title: "links, devices and fifos",
    layer: tarOf([
      folder("d/"),
      file("d/one", "content", { mode: 0o640 }),
      { name: "d/two", type: "1", link: "d/one", mode: 0o600, uid: 5, mtime: 5 },
      { name: "three", type: "1", link: "/d/../d/one", mode: 0o644 },
      { name: "sym", type: "2", link: "/d/one", mtime: 77 },
      { name: "hard-to-sym", type: "1", link: "sym", mode: 0o700, mtime: 78 },
      { name: "null", type: "3", major: 1, minor: 3, mode: 0o666 },
      { name: "disk", type: "4", major: 259, minor: 300_000, mode: 0o660, gid: 6 },
      { name: "pipe", type: "6", mode: 0o622 },
    ]),
  },
  {
    title: "extended attributes and capabilities",
    layer: tarOf([
      file("cap", "x", { mode: 0o755, uid: 1, pax: [["SCHILY.xattr.security.capability", capability]] }),
      file("user", "x", {
        pax: [
          ["SCHILY.xattr.user.a", "b"],
          ["SCHILY.xattr.user.bin", Buffer.from([0, 255, 10])],
        ],
      }),
      file("trusted", "x", { pax: [["SCHILY.xattr.trusted.overlay.opaque", "y"]] }),
      folder("d/", { pax: [["SCHILY.xattr.user.a", "b"]] }),
      file("empty-value", "x", { pax: [["SCHILY.xattr.user.none", ""]] }),
    ]),
  },
  {
    title: "user attributes of a symlink",
    layer: tarOf([{ name: "l", type: "2", link: "x", pax: [["SCHILY.xattr.user.a", "b"]] }]),
  },
  { title: "user attributes of a fifo", layer: tarOf([{ name: "p", type: "6", pax: [["SCHILY.xattr.user.a", "b"]] }]) },
  {
    title: "an attribute without a namespace",
    layer: tarOf([file("x", "x", { pax: [["SCHILY.xattr.nonsense", "b"]] })]),
  },
  {
    title: "a default ACL on a folder is not for what the layer puts there",
    layer: tarOf([
      folder("d/", {
        pax: [
          [
            "SCHILY.xattr.system.posix_acl_default",
            Buffer.from("0200000001000700ffffffff04000500ffffffff20000000ffffffff", "hex"),
          ],
        ],
      }),
      file("d/file", "x", { mode: 0o666 }),
      folder("d/inner/", { mode: 0o777 }),
    ]),
  },
  {
    title: "long names and targets, of PAX and GNU",
    layer: Buffer.concat([
      entryBytes(file("short", "x", { pax: [["path", `${"p".repeat(120)}/${"q".repeat(200)}`]] })),
      gnuLong("L", `${"g".repeat(130)}/file`),
      entryBytes(file("cut", "y", { form: "gnu" })),
      gnuLong("K", "t".repeat(300)),
      entryBytes({ name: "sym", type: "2", link: "cut", form: "gnu" }),
      entryBytes(file("name", "z", { prefix: "the/prefix" })),
      tarOf([]),
    ]),
  },
  {
    title: "names that are not UTF-8, odd and empty",
    layer: tarOf([
      file("caf\xe9", "latin"),
      file("\xff\xfe/\x01\x02", "bytes"),
      file("new\nline", "x"),
      file("back\\slash", "x"),
      file(" space ", "x"),
      file("...", "x"),
      file("", "nameless"),
      file("./", "root"),
      file("/", "root"),
      file("-rf", "x"),
    ]),
  },
  {
    title: "names that go up or are absolute stay inside",
    layer: tarOf([
      file("/abs/file"),
      file("../../up"),
      file("a/../../b/c"),
      file("x/./y//z"),
      file(".."),
      folder("../d/"),
    ]),
  },
  {
    title: "a whiteout of a file and of a folder",
    base,
    layer: tarOf([file(".wh.plain", ""), file(".wh.gone", ""), file("a/.wh.file", "", { uid: 4, gid: 5 })]),
  },
  {
    title: "a whiteout of what is not there",
    base,
    layer: tarOf([file(".wh.nothing", ""), file("new/.wh.nothing", "")]),
  },
  {
    title: "an opaque folder, its mark first",
    base,
    layer: tarOf([folder("a/"), file("a/.wh..wh..opq", ""), file("a/new")]),
  },
  {
    title: "an opaque folder, its mark last",
    base,
    layer: tarOf([folder("a/"), file("a/new"), folder("a/inner/"), file("a/inner/new"), file("a/.wh..wh..opq", "")]),
  },
  { title: "an opaque root", base, layer: tarOf([file("kept"), file(".wh..wh..opq", "")]) },
  { title: "an opaque folder that is not there", base, layer: tarOf([file("fresh/.wh..wh..opq", "")]) },
  {
    title: "an opaque mark spares what the layer wrote below folders it does not name",
    base,
    layer: tarOf([file("a/unnamed/new"), file("a/.wh..wh..opq", "")]),
    differs: {
      reason: "stock removes what the layer itself has written, since it remembers no folders in between",
      ours: "ok",
    },
  },
  {
    title: "other marks of aufs are whiteouts of odd names",
    base,
    layer: tarOf([file(".wh..wh.plnk", ""), file(".wh..wh.aufs", "")]),
  },
  { title: "a whiteout of nothing is refused", base, layer: tarOf([file("a/.wh.", "")]) },
  { title: "a whiteout of its own folder is refused", base, layer: tarOf([file("a/.wh..", "")]) },
  { title: "a whiteout of the folder above is refused", base, layer: tarOf([file("a/.wh...", "")]) },
  { title: "a whiteout and then the entry again", base, layer: tarOf([file(".wh.plain", ""), file("plain", "again")]) },
  { title: "an entry and then its whiteout", base, layer: tarOf([file("twice"), file(".wh.twice", "")]) },
  { title: "a folder with data in its whiteout", base, layer: tarOf([file(".wh.plain", "data"), file("after")]) },
  {
    title: "a folder merges with the one below",
    base,
    layer: tarOf([folder("a/", { mode: 0o700, uid: 1, mtime: 9 }), folder("a/inner/", { mode: 0o711 })]),
  },
  {
    title: "folders in between get what lies below",
    base,
    layer: tarOf([file("a/inner/new"), file("brand/new/file")]),
  },
  {
    title: "a folder becomes a file, and a file a folder",
    base,
    layer: tarOf([file("a"), folder("plain/"), file("plain/x")]),
  },
  { title: "a link becomes a folder", base, layer: tarOf([folder("link/"), file("link/x")]) },
  {
    title: "entries behind links stay inside",
    base,
    layer: tarOf([file("link/new"), file("up/new2"), file("dangling/deep")]),
  },
  { title: "a file over a link replaces the link", base, layer: tarOf([file("link", "now a file")]) },
  { title: "a loop of links is refused", base, layer: tarOf([file("loop/x")]) },
  { title: "a file as a folder is refused", base, layer: tarOf([file("new"), file("new/x")]) },
  {
    title: "links made by the layer stay inside",
    layer: tarOf([
      { name: "etc", type: "2", link: "/etc" },
      file("etc/passwd", "mine"),
      { name: "esc", type: "2", link: "../../../../../../tmp" },
      file("esc/made", "mine"),
      { name: "proc", type: "2", link: "/proc/self/root" },
      file("proc/x", "mine"),
      { name: "chain", type: "2", link: "esc/../etc" },
      file("chain/y", "mine"),
    ]),
  },
  { title: "a hard link to a host's file is refused", layer: tarOf([{ name: "l", type: "1", link: "/etc/hostname" }]) },
  {
    title: "a hard link above the root is refused",
    layer: tarOf([{ name: "l", type: "1", link: "../../../../etc/hostname" }]),
  },
  { title: "a hard link to a folder is refused", layer: tarOf([folder("d/"), { name: "l", type: "1", link: "d" }]) },
  { title: "a hard link to the root is refused", layer: tarOf([{ name: "l", type: "1", link: "/" }]) },
  { title: "a hard link to itself", layer: tarOf([file("x"), { name: "x", type: "1", link: "x" }]) },
  { title: "a hard link to what only lies below", base, layer: tarOf([{ name: "l", type: "1", link: "plain" }]) },
  { title: "the same file twice", layer: tarOf([file("x", "first"), file("x", "second, longer", { mode: 0o600 })]) },
  {
    title: "a folder twice, with a file between",
    layer: tarOf([folder("d/", { mtime: 3 }), file("d/x"), folder("d/", { mode: 0o700, mtime: 4 })]),
  },
  { title: "a folder that is replaced later", layer: tarOf([folder("d/"), file("d/x"), file("d", "now a file")]) },
  { title: "a folder that is removed later", layer: tarOf([folder("d/"), file(".wh.d", "")]) },
  {
    title: "a folder whose place a link takes",
    layer: tarOf([folder("e/"), folder("d/", { mtime: 5 }), { name: "d", type: "2", link: "e" }]),
  },
  {
    title: "hard links, folders and links with a size",
    layer: tarOf([folder("d/", { size: 512 }), { name: "s", type: "2", link: "d", size: 7 }, file("after")]),
  },
  {
    title: "old archives",
    layer: tarOf([file("old/", "", { type: "\0", form: "v7" }), file("old/file", "x", { type: "\0", form: "v7" })]),
  },
  { title: "a name with a slash at the end", layer: tarOf([file("notfolder/", "x")]) },
  {
    title: "global headers",
    layer: Buffer.concat([
      entryBytes({ name: "pax_global_header", type: "g", data: "30 comment=0123456789abcdefgh\n" }),
      entryBytes({ name: "glob", type: "g", data: "20 mtime=1000000000\n" }),
      tarOf([file("after")]),
    ]),
  },
  {
    title: "what has the name of a global header",
    layer: Buffer.concat([
      tarOf([file("kept/a"), file("kept/pax_global_header"), folder("gone/"), file("gone/a")]).subarray(0, -1024),
      entryBytes({ name: "kept/pax_global_header", type: "g", data: "13 comment=x\n" }),
      entryBytes({ name: "gone", type: "g", data: "13 comment=x\n" }),
      entryBytes({ name: "made/above", type: "g", data: "13 comment=x\n" }),
      entryBytes({ name: "elsewhere", type: "g", data: "18 path=kept/a\n".replace("18", "15") }),
      tarOf([file("after")]),
    ]),
  },
  {
    title: "sparse of old GNU",
    layer: Buffer.concat([gnuSparse()]),
    differs: { reason: "stock refuses the type, which tar -S makes", ours: "ok" },
  },
  {
    title: "sparse of PAX 0.0",
    layer: tarOf([
      {
        name: "s",
        data: sparseData,
        pax: [
          ["GNU.sparse.size", "20000"],
          ["GNU.sparse.numblocks", "2"],
          ["GNU.sparse.offset", "1024"],
          ["GNU.sparse.numbytes", "512"],
          ["GNU.sparse.offset", "8192"],
          ["GNU.sparse.numbytes", "512"],
        ],
      },
    ]),
  },
  {
    title: "sparse of PAX 0.1",
    layer: tarOf([
      {
        name: "GNUSparseFile.1/s",
        data: sparseData,
        pax: [
          ["GNU.sparse.size", "20000"],
          ["GNU.sparse.numblocks", "2"],
          ["GNU.sparse.name", "s01"],
          ["GNU.sparse.map", "1024,512,8192,512"],
        ],
      },
    ]),
  },
  {
    title: "sparse of PAX 1.0",
    layer: tarOf([
      {
        name: "GNUSparseFile.1/s",
        data: Buffer.concat([sparseMap, sparseData]),
        pax: [
          ["GNU.sparse.major", "1"],
          ["GNU.sparse.minor", "0"],
          ["GNU.sparse.name", "s10"],
          ["GNU.sparse.realsize", "20000"],
        ],
      },
      file("after"),
    ]),
  },
  {
    title: "sparse with spans out of order",
    layer: tarOf([
      {
        name: "s",
        data: sparseData,
        pax: [
          ["GNU.sparse.size", "20000"],
          ["GNU.sparse.map", "8192,512,1024,512"],
        ],
      },
    ]),
  },
  {
    title: "sparse beyond its size",
    layer: tarOf([
      {
        name: "s",
        data: sparseData,
        pax: [
          ["GNU.sparse.size", "100"],
          ["GNU.sparse.map", "0,512,1024,512"],
        ],
      },
    ]),
  },
  {
    title: "sparse with more data than its map",
    layer: tarOf([
      {
        name: "s",
        data: sparseData,
        pax: [
          ["GNU.sparse.size", "20000"],
          ["GNU.sparse.map", "0,512"],
        ],
      },
    ]),
  },
  { title: "an unknown type", layer: tarOf([file("x", "x", { type: "Z" })]) },
  { title: "a contiguous file", layer: tarOf([file("x", "x", { type: "7" })]) },
  { title: "nothing at all", layer: Buffer.alloc(0) },
  { title: "one block of zeros", layer: Buffer.alloc(512) },
  { title: "zeros and then more", layer: Buffer.concat([Buffer.alloc(512), tarOf([file("x")])]) },
  {
    title: "bytes after the end",
    layer: Buffer.concat([tarOf([file("x")]), Buffer.from("trailing bytes that count")]),
  },
  { title: "no end", layer: entryBytes(file("x")) },
  { title: "no padding at the end", layer: entryBytes(file("x")).subarray(0, 513) },
  { title: "cut in a header", layer: tarOf([file("x"), file("y")]).subarray(0, 1024 + 100) },
  { title: "cut in data", layer: tarOf([file("x", "x".repeat(5000))]).subarray(0, 3000) },
  {
    title: "cut in an extended header",
    layer: tarOf([file("x", "x", { pax: [["path", "long".repeat(50)]] })]).subarray(0, 600),
  },
  { title: "only an extended header", layer: tarOf([file("x", "x", { pax: [["path", "long"]] })]).subarray(0, 1024) },
  { title: "a wrong sum", layer: tarOf([file("x")]).fill(0x41, 0, 1) },
  { title: "text that is no archive", layer: Buffer.from("hello, world\n".repeat(200)) },
  {
    title: "a size that is no number",
    layer: tarOf([file("x", "x", { patch: (block) => void block.write("12z", 124) })]),
  },
  { title: "a negative size", layer: tarOf([file("x", "", { form: "gnu", size: -5 })]) },
  {
    title: "a mode that is no number",
    layer: tarOf([file("x", "x", { patch: (block) => void block.write("abc\0", 100) })]),
  },
  {
    title: "a mode with spaces",
    layer: tarOf([file("x", "x", { patch: (block) => void block.write("   755 \0", 100) })]),
  },
  {
    title: "a prefix where GNU has times",
    layer: tarOf([
      file("x", "x", { form: "gnu", patch: (block) => block.write("a/prefix", 345, "latin1") }),
      file("y", "y", { form: "gnu", patch: (block) => block.fill(0xe5, 345, 357) }),
      file("z", "z", { form: "gnu", patch: (block) => block.write("9", 357, "latin1") }),
    ]),
  },
  { title: "a negative mtime in base-256", layer: tarOf([file("x", "x", { form: "gnu", mtime: -100 })]) },
  ...(
    [
      ["no length", "path=x\n"],
      ["a length too long", "99 path=x\n"],
      ["a length too short", "3 path=x\n"],
      ["no line end", "9 path=xy"],
      ["no equals sign", "8 pathx\n"],
      ["an empty key", "5 =x\n"],
      ["a NUL in a path", "11 path=a\0b\n"],
      ["a bad time", "13 mtime=abc\n"],
      ["a bad id", "10 uid=1x\n"],
      ["a negative size", "11 size=-1\n"],
    ] as const
  ).map(
    ([what, record]): RuleCase => ({
      title: `an extended header with ${what}`,
      layer: tarOf([{ name: "x", type: "x", data: record }, file("f")]),
    }),
  ),
  {
    title: "an empty value keeps the field",
    layer: tarOf([
      file("kept", "x", {
        pax: [
          ["path", ""],
          ["uid", ""],
        ],
      }),
    ]),
  },
];
