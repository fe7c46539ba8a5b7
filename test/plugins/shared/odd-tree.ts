import {
  chmodSync,
  closeSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { deviceNumber, makeNode, nodeTypes, setTimes, setXattr } from "#linux";

const times = { atimeNs: 1_600_000_000_000_000_001n, mtimeNs: 1_500_000_000_123_456_789n };

/** Fills a folder with one of everything that a file system can hold. Needs root. */
export function makeOddTree(top: string): void {
  const at = (name: string) => join(top, name);
  mkdirSync(at("deep/er/still"), { recursive: true });
  writeFileSync(at("plain"), "text");
  writeFileSync(at("deep/er/empty"), "");
  writeFileSync(at("big"), Buffer.alloc(3_000_000, "big"));
  writeFileSync(at("setuid"), "#!");
  lchownSync(at("setuid"), 1234, 70_000);
  chmodSync(at("setuid"), 0o6755);
  linkSync(at("plain"), at("deep/same"));
  linkSync(at("plain"), at("deep/er/same"));
  symlinkSync("../nowhere/\u00fc", at("dangling"));
  lchownSync(at("dangling"), 7, 8);
  makeNode(at("fifo"), nodeTypes.fifo | 0o640);
  linkSync(at("fifo"), at("deep/fifo"));
  makeNode(at("socket"), nodeTypes.socket | 0o600);
  makeNode(at("device"), nodeTypes.character | 0o600, deviceNumber(1, 3));
  makeNode(at("disk"), nodeTypes.block | 0o660, deviceNumber(259, 70_000));
  makeNode(at("whiteout"), nodeTypes.character, 0n);
  makeNode(Buffer.concat([Buffer.from(`${top}/`), Buffer.of(0xff, 0xfe, 0x20, 0x0a)]), nodeTypes.regular | 0o600);
  setXattr(at("plain"), "user.note", Buffer.from([0, 1, 255]));
  setXattr(at("deep"), "trusted.overlay.opaque", Buffer.from("y"));
  setXattr(at("dangling"), "trusted.link", Buffer.from("1"));
  makeSparseFile(at("sparse"));
  chmodSync(at("deep/er"), 0o1777);
  lchownSync(top, 42, 43);
  chmodSync(top, 0o751);
  setAllTimes(top);
  setTimes(at("setuid"), { atimeNs: -1n, mtimeNs: -1_500_000_000n });
}

/** Gives every entry of a tree the same times, so that two of them compare. */
export function setAllTimes(top: string): void {
  const entries = readdirSync(top, { encoding: "latin1", recursive: true });
  for (const name of [...entries, "."]) setTimes(Buffer.from(`${top}/${name}`, "latin1"), times);
}

/** 64 MiB of which a few blocks are stored, the last byte too. */
function makeSparseFile(path: string): void {
  const fd = openSync(path, "w");
  writeSync(fd, "head");
  writeSync(fd, "middle", 20 * 2 ** 20);
  closeSync(fd);
  truncateSync(path, 64 * 2 ** 20);
}
