/** Names outside containerd's identifier rule: 1 to 76 bytes, letters and digits parted by single marks. */
export const badNames: readonly string[] = [
  "",
  " ",
  ".",
  "..",
  "a b",
  "a/b",
  "../a",
  "-a",
  "a-",
  "a..b",
  "a_-b",
  "ä",
  "a\n",
  "a\0b",
  "x".repeat(77),
];

/** Digests that are none. */
export const badDigests: readonly string[] = [
  "",
  "sha256",
  "sha256:",
  "sha256:abc",
  `sha256:${"A".repeat(64)}`,
  `sha256:${"g".repeat(64)}`,
  `md5:${"0".repeat(32)}`,
  `sha256:${"0".repeat(63)}`,
  `sha256:${"0".repeat(65)}`,
  "../../etc/passwd",
  `sha256:../${"0".repeat(61)}`,
];

/** Filters that do not parse. */
export const badFilters: readonly string[] = [
  "name==",
  "==x",
  "name===x",
  "name==x,",
  ",name==x",
  'name=="x',
  "name==x ",
  "name==.x",
  "name~=/x",
  'name=="\\d"',
  "name.==x",
  "labels.x-y==1",
];

/** A well-formed digest that nothing has. */
export const absentDigest = `sha256:${"0".repeat(63)}1`;
