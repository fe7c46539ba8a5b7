import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Content, WriteAction } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { isHostError } from "#proto/wire/errors.ts";
import { clientOf, connect } from "#rpc";
import { tables } from "../../../plugins/metadata/database/tables.ts";
import { Child } from "../../harness/child.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { digestOf, exchange, readAll, uploadOf, type WriteRequest } from "./content-client.ts";
import { inNamespace, startMetadata, type MetadataServer } from "./metadata-server.ts";
import { startStore } from "./store-server.ts";

/** One process of two is killed, at each step of an upload; the other lives on. */

const blob = Buffer.from("the bytes of a blob");
const digest = digestOf(blob);
const labels = { a: "1" };
const upload = uploadOf("r", blob, labels);
const one = inNamespace("one");

/** What is true once the dead process is back and metadata has asked the store. */
type Outcome = "visible" | { readonly ingestBytes: number };

/** Metadata relays the bytes, or the router was sent to the store, which asks metadata. */
type Way = "relayed" | "redirected";

interface Kill {
  readonly step: string;
  readonly outcome: Outcome;
  /** Requests that are answered before the process is killed from outside; undefined: it ends itself at the step. */
  readonly answered?: number;
}

const whole = { ingestBytes: blob.length };
const ofStore: readonly Kill[] = [
  { step: "the ingest was opened", answered: 1, outcome: { ingestBytes: 0 } },
  { step: "the bytes were taken", answered: 2, outcome: whole },
  { step: "flushed", outcome: whole },
  { step: "prepared", outcome: whole },
  { step: "renamed", outcome: "visible" },
  { step: "synced", outcome: "visible" },
  { step: "finished", outcome: "visible" },
];
const ofMetadata: readonly (Kill & { readonly ways?: readonly Way[] })[] = [
  { step: "the ingest was opened", answered: 1, outcome: { ingestBytes: 0 }, ways: ["relayed"] },
  // The bytes go past it.
  { step: "the ingest was opened", answered: 1, outcome: whole, ways: ["redirected"] },
  { step: "the bytes were taken", answered: 2, outcome: whole },
  { step: "intent-stored", outcome: whole },
  { step: "store-committed", outcome: "visible", ways: ["relayed"] },
  { step: "recorded", outcome: "visible" },
];

for (const way of ["relayed", "redirected"] as const) {
  for (const kill of ofStore) {
    test(`a ${way} upload whose store dies when ${kill.step} is ${toldOf(kill)}, metadata living on`, async () => {
      await using folder = await makeTempFolder("k");
      await using metadata = await startMetadata(folder.path, { storeElsewhere: true, storePackage: storeOf(way) });
      {
        await using store = await startProcess("store-process.ts", folder.path, kill.step);
        await uploadInto(folder.path, way, kill, store);
      }
      await using _ = await startStore(folder.path);
      await metadata.settle();
      await checkOutcome(metadata, kill.outcome);
    });
  }

  for (const kill of ofMetadata.filter(({ ways }) => ways?.includes(way) ?? true)) {
    test(`a ${way} upload whose metadata dies when ${kill.step} is ${toldOf(kill)}, the store living on`, async () => {
      await using folder = await makeTempFolder("k");
      await using _ = await startStore(folder.path);
      {
        await using process = await startProcess("metadata-process.ts", folder.path, kill.step, storeOf(way));
        await uploadInto(folder.path, way, kill, process);
      }
      await using metadata = await startMetadata(folder.path, { storeElsewhere: true });
      await metadata.settle();
      await checkOutcome(metadata, kill.outcome);
    });
  }
}

function toldOf({ outcome }: Kill): string {
  return outcome === "visible" ? "finished afterwards" : `resumed at ${outcome.ingestBytes} bytes`;
}

function storeOf(way: Way): string {
  return way === "redirected" ? "content" : "acme-store";
}

async function startProcess(program: string, ...args: readonly string[]): Promise<Child> {
  const child = new Child(process.execPath, [join(import.meta.dirname, program), ...args]);
  await child.output.waitFor(/ready/);
  return child;
}

/** Uploads until the process has died of it. */
async function uploadInto(folder: string, way: Way, { answered }: Kill, victim: Child): Promise<void> {
  using channel = connect(`${folder}/${way === "redirected" ? "content" : "metadata"}.sock`);
  const metadata = { ...one.metadata, ...(way === "redirected" && { "bulkhead-namespaced": "1" }) };
  let answers = 0;
  let answer = Promise.withResolvers<void>();
  const requests = (async function* (): AsyncGenerator<WriteRequest> {
    for (const request of upload) {
      yield request;
      await answer.promise;
      answer = Promise.withResolvers();
    }
  })();
  await assert.rejects(
    async () => {
      for await (const _ of clientOf(Content, channel).write(requests, { metadata })) {
        answers++;
        if (answers === answered) {
          victim.kill("SIGKILL");
          await victim.waitForExit();
        }
        answer.resolve();
      }
    },
    (error) => isHostError(error, "unavailable"),
  );
  assert.equal((await victim.waitForExit()).signal, "SIGKILL", victim.output.text);
}

async function checkOutcome(metadata: MetadataServer, outcome: Outcome): Promise<void> {
  using channel = connect(metadata.channel.target);
  const content = clientOf(Content, channel);
  const listed = async () => (await Array.fromAsync(content.list({}, one))).flatMap(({ info }) => info);
  if (outcome !== "visible") {
    assert.deepEqual(await listed(), []);
    const [resumed] = await exchange(content, [{ ref: "r", total: BigInt(blob.length) }], one);
    assert.equal(resumed?.offset, BigInt(outcome.ingestBytes));
    assert.equal(resumed?.digest, digestOf(blob.subarray(0, outcome.ingestBytes)));
    const rest = { action: WriteAction.WRITE, offset: resumed?.offset ?? 0n, data: blob.subarray(outcome.ingestBytes) };
    const commit = { action: WriteAction.COMMIT, offset: BigInt(blob.length), expected: digest, labels };
    await exchange(content, [{ ref: "r" }, rest, commit], one);
  } else {
    const again = exchange(content, uploadOf("again", blob, labels).with(0, { ref: "again", expected: digest }), one);
    await assert.rejects(again, (error) => isHostError(error, "already-exists"));
  }
  assert.deepEqual(await readAll(content, digest, one), blob);
  assert.deepEqual(
    (await listed()).map((info) => [info.digest, info.size, info.labels]),
    [[digest, BigInt(blob.length), labels]],
  );
  assert.deepEqual((await content.listStatuses({}, one)).statuses, []);
  assert.deepEqual(Array.from(metadata.database.range(tables.contentIntent, [])), []);
}
