import assert from "node:assert/strict";
import { test } from "node:test";
import { HpackDecoder } from "#proto/http2/hpack-decoder.ts";
import { encodeFields, encodeHeaders, encodeInteger } from "#proto/http2/hpack-encoder.ts";
import { ConnectionError } from "#proto/http2/protocol-error.ts";

type Headers = readonly (readonly [string, string])[];

const requests: readonly Headers[] = [
  [
    [":method", "GET"],
    [":scheme", "http"],
    [":path", "/"],
    [":authority", "www.example.com"],
  ],
  [
    [":method", "GET"],
    [":scheme", "http"],
    [":path", "/"],
    [":authority", "www.example.com"],
    ["cache-control", "no-cache"],
  ],
  [
    [":method", "GET"],
    [":scheme", "https"],
    [":path", "/index.html"],
    [":authority", "www.example.com"],
    ["custom-key", "custom-value"],
  ],
];
const date = "Mon, 21 Oct 2013 20:13:21 GMT";
const later = "Mon, 21 Oct 2013 20:13:22 GMT";
const location = "https://www.example.com";
const responses: readonly Headers[] = [
  [
    [":status", "302"],
    ["cache-control", "private"],
    ["date", date],
    ["location", location],
  ],
  [
    [":status", "307"],
    ["cache-control", "private"],
    ["date", date],
    ["location", location],
  ],
  [
    [":status", "200"],
    ["cache-control", "private"],
    ["date", later],
    ["location", location],
    ["content-encoding", "gzip"],
    ["set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"],
  ],
];

const cases: readonly { name: string; tableBytes: number; blocks: readonly string[]; lists: readonly Headers[] }[] = [
  {
    name: "C.3 requests without Huffman coding",
    tableBytes: 4096,
    blocks: [
      "828684410f7777772e6578616d706c652e636f6d",
      "828684be58086e6f2d6361636865",
      "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
    ],
    lists: requests,
  },
  {
    name: "C.4 requests with Huffman coding",
    tableBytes: 4096,
    blocks: [
      "828684418cf1e3c2e5f23a6ba0ab90f4ff",
      "828684be5886a8eb10649cbf",
      "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
    ],
    lists: requests,
  },
  {
    name: "C.5 responses without Huffman coding, with eviction",
    tableBytes: 256,
    blocks: [
      "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d",
      "4803333037c1c0bf",
      "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
    ],
    lists: responses,
  },
  {
    name: "C.6 responses with Huffman coding, with eviction",
    tableBytes: 256,
    blocks: [
      "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
      "4883640effc1c0bf",
      "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
    ],
    lists: responses,
  },
];

function decode(decoder: HpackDecoder, hex: string): Headers {
  const block = Buffer.from(hex, "hex");
  return decoder.decode(block, 0, block.length).map((field) => [field.name, field.value] as const);
}

for (const { name, tableBytes, blocks, lists } of cases) {
  test(`RFC 7541 ${name}`, () => {
    const decoder = new HpackDecoder(tableBytes);
    for (const [at, block] of blocks.entries()) assert.deepEqual(decode(decoder, block), lists[at]);
  });
}

test("RFC 7541 C.2: literals with and without a place in the table", () => {
  const decoder = new HpackDecoder(4096);
  assert.deepEqual(decode(decoder, "400a637573746f6d2d6b65790d637573746f6d2d686561646572"), [
    ["custom-key", "custom-header"],
  ]);
  assert.deepEqual(decode(decoder, "040c2f73616d706c652f70617468"), [[":path", "/sample/path"]]);
  const secret = Buffer.from("100870617373776f726406736563726574", "hex");
  const [field] = decoder.decode(secret, 0, secret.length);
  assert.ok(field?.neverIndexed);
  assert.ok(encodeFields([field]).equals(secret), "never-indexed fields stay so when they are encoded again");
  assert.deepEqual(decode(decoder, "be"), [["custom-key", "custom-header"]]);
});

test("RFC 7541 C.1: integers", () => {
  assert.equal(encodeInteger(10, 5, 0).toString("hex"), "0a");
  assert.equal(encodeInteger(1337, 5, 0).toString("hex"), "1f9a0a");
  assert.equal(encodeInteger(42, 8, 0).toString("hex"), "2a");
});

test("what is encoded decodes to the same with any table, and changes none", () => {
  const headers: Headers = [...(requests[2] ?? []), ["x-long", "é".repeat(300)], ["grpc-status", "0"], ["empty", ""]];
  const decoder = new HpackDecoder(0);
  assert.deepEqual(decode(decoder, encodeHeaders(headers).toString("hex")), headers);
  assert.equal(decoder.mutations, 0);
});

test("every byte value passes through the Huffman code of RFC 7541", () => {
  // Encoded with the code itself: value lengths of one byte, each padded with ones.
  const decoder = new HpackDecoder(0);
  assert.deepEqual(decode(decoder, "0001618107"), [["a", "0"]], "00000 and ones");
  for (const wrong of ["00016181ff", "0001618100", "0001618407ffffff", "00016184ffffffff"]) {
    assert.throws(() => decode(decoder, wrong), ConnectionError, wrong);
  }
});

const brokenBlocks = [
  "80", // index 0
  "bf", // beyond the tables
  "3fe21f", // size update over the announced size
  "8220", // size update after a field
  "40", // ends inside a field
  "000a61", // string longer than the block
  "ffffffffffff7f", // number too large
  "7f", // number cut off
];
for (const hex of brokenBlocks) {
  test(`the broken block ${hex} is a COMPRESSION_ERROR`, () => {
    assert.throws(
      () => decode(new HpackDecoder(4096), hex),
      (error) => error instanceof ConnectionError && error.code === 9,
    );
  });
}

test("a size update empties the table, and a field larger than it does too", () => {
  const decoder = new HpackDecoder(100);
  decode(decoder, "400a637573746f6d2d6b65790d637573746f6d2d686561646572");
  decode(decoder, "20");
  assert.throws(() => decode(decoder, "be"), ConnectionError);
  const large = new HpackDecoder(60);
  decode(large, "400161016240016301 64".replace(" ", ""));
  assert.deepEqual(decode(large, "be"), [["c", "d"]]);
  decode(large, `40016120${"61".repeat(32)}`);
  assert.throws(() => decode(large, "be"), ConnectionError);
});
