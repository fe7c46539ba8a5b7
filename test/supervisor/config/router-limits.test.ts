import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { configDocument } from "../../../supervisor/config/config-document.ts";
import { routerLimits } from "../../../supervisor/config/router-limits.ts";
import { readSample } from "./sample-files.ts";

const given = {
  connections: 100,
  connections_per_uid: 10,
  streams_per_connection: 50,
  open_calls: 500,
  header_list_size: "8KiB",
  frame_size: "64KiB",
  stream_window: "1MiB",
  connection_window: "8MiB",
  held_size: "32MiB",
  unread_size: "1MiB",
  settings_per_second: 10,
  pings_per_second: 20,
  resets_per_second: 30,
  empty_frames_per_second: 40,
  continuations_per_second: 50,
  continuations: 8,
  preface_time: "5s",
  headers_time: "6s",
  idle_time: "0s",
};

/** Key and value that are wrong, and what is said. */
const wrong: readonly (readonly [string, RegExp])[] = [
  ["connections: 0", /router\.connections: expected a whole number from 1 to 1000000, got 0/],
  ["connections_per_uid: many", /router\.connections_per_uid: expected a whole number/],
  ["streams_per_connection: 1.5", /router\.streams_per_connection: expected a whole number/],
  ["header_list_size: 10", /router\.header_list_size: expected at least 1024 bytes, got 10/],
  ["frame_size: 16MiB", /router\.frame_size: expected at most 16777215 bytes, got "16MiB"/],
  ["stream_window: 4GiB", /router\.stream_window: expected at most 2147483647 bytes/],
  ["connection_window: 1KiB", /router\.connection_window: expected at least 65536 bytes/],
  ["held_size: lots", /router\.held_size: expected a size, got "lots"/],
  ["resets_per_second: -1", /router\.resets_per_second: expected a whole number from 1/],
  ["preface_time: 0s", /router\.preface_time: expected 10ms to 24h, got "0s"/],
  ["headers_time: soon", /router\.headers_time: expected a duration, got "soon"/],
  ["idle_time: [1]", /router\.idle_time: expected a duration, got a list/],
];

describe("the router section of the config", () => {
  it("sets every limit, and what it says is what is shown", async () => {
    const { config, texts } = await readSample({ "c.yaml": `router: ${JSON.stringify(given)}\n` });
    assert.deepEqual(texts, []);
    assert.deepEqual(configDocument(config, new Map())["router"], given);
    assert.deepEqual([config.router.frameBytes, config.router.idleMs, config.router.prefaceMs], [65_536, 0, 5000]);
  });

  it("leaves what it does not say to the defaults, and an import overrides one key alone", async () => {
    const { config } = await readSample({
      "c.yaml": "imports: [more.yaml]\nrouter: {connections: 7, idle_time: 1m}\n",
      "more.yaml": "router: {idle_time: 0s}\n",
    });
    assert.deepEqual(config.router, routerLimits({ connections: 7, idleMs: 0 }));
    assert.equal(config.router.headerListBytes, 16_384);
  });

  for (const [line, text] of wrong) {
    it(`refuses ${line}, naming the key`, async () => {
      const { texts } = await readSample({ "c.yaml": `router: {${line}}\n` });
      assert.equal(texts.length, 1, texts.join("\n"));
      assert.match(texts[0] ?? "", text);
      assert.match(texts[0] ?? "", /^error: c\.yaml:1:/);
    });
  }

  it("names the nearest key for one that it does not know", async () => {
    const { texts } = await readSample({ "c.yaml": "router: {ping_per_second: 1}\n" });
    assert.match(texts.join(), /router\.ping_per_second.*did you mean "pings_per_second"/);
  });
});
