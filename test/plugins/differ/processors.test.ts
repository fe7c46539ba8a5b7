import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { create, fromBinary } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { isHostError } from "#proto/wire/errors.ts";
import { planChain, type ProcessorConfig } from "../../../plugins/differ/processors/chain.ts";
import { startBulkhead } from "../../harness/bulkhead-daemon.ts";
import { skipWithout } from "../../harness/peers.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { bindOf, LayerClient, ociGzip, ociTar } from "./layer-client.ts";
import { tarOf } from "./tar-builder.ts";

const program = (accepts: string, returns: string): ProcessorConfig => ({
  accepts: [accepts],
  returns,
  path: "p",
  args: [],
  env: [],
});

test("chains go through configured programs, the later before the earlier, and then through what is built in", () => {
  const configured = new Map([
    ["first", program("a", "b")],
    ["second", program("b", ociGzip)],
    ["whole", program("c", ociTar)],
    ["over", { ...program("a", "b"), path: "over" }],
    ["circle", program("d", "d")],
  ]);
  const kinds = (type: string): string[] =>
    planChain(type, configured, new Map()).map((step) => (step.kind === "program" ? step.path : step.kind));
  assert.deepEqual(kinds("a"), ["over", "p", "decompress"]);
  assert.deepEqual(kinds("c"), ["p"]);
  assert.deepEqual(kinds(ociTar), []);
  assert.deepEqual(kinds(ociGzip), ["decompress"]);
  for (const type of ["d", "e", ""]) {
    assert.throws(() => kinds(type), {
      message: `failed to get stream processor for ${type}: no processor for media-type`,
    });
  }
});

/** The host's own section, and what the differ's adds to it. */
const config = (folder: string): string => `
stream_processors:
  reversed: { accepts: [application/x-hex], returns: "${ociGzip}", path: sh, args: [-c, "xxd -r -p || python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))'"] }
  silent: { accepts: [overridden], returns: "${ociTar}", path: /bin/false }
plugins:
  io.containerd.differ.v1.walking:
    stream_processors:
      telling:
        accepts: [application/x-telling]
        returns: ${ociTar}
        path: /bin/sh
        args: [-c, 'cat <&3 > ${folder}/payload; echo "$STREAM_PROCESSOR_MEDIATYPE $MINE" > ${folder}/env; exec cat']
        env: [MINE=given]
      failing: { accepts: [application/x-failing], returns: "${ociTar}", path: /bin/sh, args: [-c, "head -c 700; echo that was too much >&2; exit 3"] }
      silent: { accepts: [application/x-silent], returns: "${ociTar}", path: /bin/sh, args: [-c, "kill -9 $$"] }
      missing: { accepts: [application/x-missing], returns: "${ociTar}", path: no-such-program }
`;

test("programs get the blob, their environment and payload, and their failures are the call's", {
  skip: skipWithout({ root: true }),
}, async () => {
  await using folder = await makeTempFolder("p");
  await using daemon = await startBulkhead({ config: config(folder.path) });
  using client = new LayerClient(daemon.address);
  const layer = tarOf([{ name: "file", data: "x".repeat(200_000) }]);
  const target = folder.join("target");
  mkdirSync(target);

  const hex = Buffer.from(gzipSync(layer).toString("hex"));
  const applied = await client.apply(await client.store(hex, "application/x-hex"), bindOf(target));
  assert.equal(applied?.size, BigInt(layer.length));
  assert.equal(readFileSync(`${target}/file`, "latin1").length, 200_000);

  const payload = create(AnySchema, { typeUrl: "acme.Key", value: Buffer.from("secret") });
  const diff = await client.store(layer, "application/x-telling");
  await client.diff.apply({ diff, mounts: bindOf(target), payloads: { telling: payload } }, client.options);
  assert.equal(readFileSync(folder.join("env"), "utf8"), "application/x-telling given\n");
  const got = fromBinary(AnySchema, readFileSync(folder.join("payload")));
  assert.deepEqual([got.typeUrl, Buffer.from(got.value).toString()], ["acme.Key", "secret"]);

  for (const [type, text] of [
    ["application/x-failing", /^that was too much\n$|unexpected EOF/],
    ["application/x-silent", /SIGKILL/],
    ["application/x-missing", /^exec: "no-such-program": executable file not found in \$PATH$/],
  ] as const) {
    const stored = await client.store(layer, type);
    await assert.rejects(
      () => client.apply(stored, bindOf(target)),
      (error) => isHostError(error, "unknown") && text.test(error.message),
      type,
    );
  }
});
