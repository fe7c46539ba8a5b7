import type { Outcome } from "./outcome.ts";

/** A deliberate difference from the stock daemon. */
export interface Exception {
  readonly area: string;
  readonly title: string;
  /** Beginning of the step's title. */
  readonly step: string;
  /** Which step of the case, from 1; undefined: each whose title fits. */
  readonly nth?: number;
  readonly reason: string;
  /** What ours answers, made from what stock answers. */
  expect(stock: Outcome): Outcome;
}

const emptyDigest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const databasePath = "the database is another engine's, and its file is named for what it is";

const fullDisk = "a full disk is RESOURCE_EXHAUSTED with what to do, and not UNKNOWN";
const fullIngest = "an ingest fails, nothing is committed, and once aborted its room is there again";
const fullMetadata = "changes fail, reads and removals do not, and everything works once there is room";

/** All of them. Everything not listed must be equal. */
export const exceptions: readonly Exception[] = [
  {
    area: "version",
    title: "calls that no service answers are UNIMPLEMENTED",
    step: "/nonsense",
    reason: "grpc-go of that age calls a path without a second slash RESOURCE_EXHAUSTED; newer ones say UNIMPLEMENTED",
    expect: () => 12,
  },
  {
    area: "version",
    title: "text that is no UTF-8 is refused",
    step: "/containerd.services.",
    reason: "protobuf's strings are UTF-8; stock's decoder does not look, ours refuses the message as no message",
    expect: () => 13,
  },
  ...["the shipped plugins come in containerd's order with its requires, platforms, exports and states"].map(
    (title): Exception => ({
      area: "plugins",
      title,
      step: "",
      reason: databasePath,
      expect: withOurDatabase,
    }),
  ),
  {
    area: "plugins",
    title: "ctr lists them in detail",
    step: "ctr plugins ls -d",
    nth: 1,
    reason: databasePath,
    expect: withOurDatabase,
  },
  ...[4, 6, 7].map(
    (nth): Exception => ({
      area: "plugins",
      title: "filters select by type and id",
      step: "",
      nth,
      reason: databasePath,
      expect: withOurDatabase,
    }),
  ),
  {
    area: "snapshots",
    title: "the kinds of snapshots keep to their rules on native",
    step: "containerd.services.snapshots.v1.Snapshots.commit",
    nth: 10,
    reason: "a view is told to be no active snapshot; stock looks for its folder first, which views of layers lack",
    expect: () => ({
      code: 9,
      message: 'failed to commit snapshot: snapshot "snapshots-2/4/v" is not active: failed precondition',
      answers: [],
    }),
  },
  {
    area: "content",
    title: "an ingest goes on where it stopped, or anew with another total",
    step: "containerd.services.content.v1.Content.status",
    nth: 7,
    reason:
      "an ingest that starts anew is emptied at once; stock leaves the old bytes in the file until they are overwritten",
    expect: (stock) => JSON.parse(JSON.stringify(stock).replace('"offset":"6"', '"offset":"0"')) as Outcome,
  },
  {
    area: "content",
    title: "an ingest goes on where it stopped, or anew with another total",
    step: "write ",
    nth: 8,
    reason: "the same: stock resumes from the old bytes it left",
    expect: (stock) => {
      const text = JSON.stringify(stock).replace('"offset":"6"', '"offset":"0"');
      return JSON.parse(text.replace(/"digest":"sha256:3d162cb1[0-9a-f]*"/, `"digest":"${emptyDigest}"`)) as Outcome;
    },
  },
  {
    area: "run",
    title: "what is wrong is said as containerd says it",
    step: "ctr run --rm --runtime no/such.runtime",
    reason:
      "a runtime's name with a slash is refused as what it is; stock tries to run it in its own working directory",
    expect: () => ({
      code: 1,
      stdout: "",
      stderr:
        "ctr: failed to start shim: failed to resolve runtime path: invalid runtime name no/such.runtime, correct runtime " +
        "name should be either format like `io.containerd.runc.v1` or a full path to the binary: unknown\n",
    }),
  },
  {
    area: "runtime-v1",
    title: "a container of runtime v1 in the background is looked at, paused, joined and killed",
    step: "ctr task exec --exec-id bad id",
    reason: "the bad id is named, as with runtime v2",
    expect: (stock) => JSON.parse(JSON.stringify(stock).replace("exec id:", "exec id bad id:")) as Outcome,
  },
  {
    area: "full-disk",
    title: fullIngest,
    step: "ctr content ingest big",
    reason: "the text says what to do; the class is one that ctr of that age prints as unknown, too",
    expect: (stock) => ({
      ...(stock as { code: number; stdout: string }),
      stderr: `ctr: failed to copy: failed to send write: ${ingestFull("big")}: unknown\n`,
    }),
  },
  {
    area: "full-disk",
    title: fullIngest,
    step: 'write {ref="calls"}',
    reason: fullDisk,
    expect: () => [8, ingestFull("calls"), true],
  },
  ...["Images.create", "Images.update", "Containers.create", "Leases.create", "Namespaces.create"].map(
    (method, index): Exception => ({
      area: "full-disk",
      title: fullMetadata,
      step: "containerd.services.",
      nth: index + 3,
      reason: `${fullDisk} (${method})`,
      expect: () => ({
        code: 8,
        message:
          "write metadata in <folder>/root/io.containerd.metadata.v1.bolt: no space left on the disk; " +
          "nothing was changed; free some space and try again",
        answers: [],
      }),
    }),
  ),
  {
    area: "full-disk",
    title: fullMetadata,
    step: "containerd.services.images.v1.Images.delete",
    reason: "room is kept for removals, which are what makes room; stock cannot write them either",
    expect: () => ({ code: 0, answers: [{}] }),
  },
  {
    area: "full-disk",
    title: fullMetadata,
    step: "containerd.services.images.v1.Images.list",
    nth: 12,
    reason: "what was removed on the full disk is gone",
    expect: (stock) => {
      const { code, answers } = stock as unknown as { code: number; answers: { images: { name: string }[] }[] };
      const left = answers.map(({ images }) => ({ images: images.filter(({ name }) => name !== "before") }));
      return { code, answers: left as unknown as Outcome };
    },
  },
];

/** The content store's text for an ingest of the first case of its area. */
function ingestFull(ref: string): string {
  const advice = "free space below the content store's root and try again";
  return `write to ingest "full-disk-0/1/${ref}": ENOSPC: no space left on device, write; ${advice}`;
}

function withOurDatabase(stock: Outcome): Outcome {
  return JSON.parse(JSON.stringify(stock).replaceAll("/meta.db", "/meta.lmdb")) as Outcome;
}

/** The exception for a step, which is the `nth` of its case. */
export function exceptionOf(area: string, title: string, step: string, nth: number): Exception | undefined {
  return exceptions.find(
    (item) =>
      item.area === area &&
      item.title === title &&
      step.startsWith(item.step) &&
      (item.nth === undefined || item.nth === nth),
  );
}
