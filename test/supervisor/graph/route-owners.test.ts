import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { graphOf, pack, plugin, troubles } from "./sample-packages.ts";

const router = (name: string, routes: readonly string[], shipped = false) =>
  pack(name, [plugin(`t.${name}.v1.x`, { routes })], { shipped });

describe("routes on the main socket", () => {
  it("go to the shipped package; the other fails with the line that would choose it", () => {
    const graph = graphOf([router("acme", ["s.A"]), router("zulu", ["s.A"], true)]);
    assert.equal(graph.routes.get("s.A"), "zulu");
    assert.deepEqual(troubles(graph), {
      acme: 'failed: s.A is routed by zulu and acme; zulu keeps it. To choose, write "routes: {s.A: acme}" (or zulu) into the config',
    });
  });

  it("go to the first by name where neither is shipped, and what the loser alone routes stays its own", () => {
    const graph = graphOf([router("zulu", ["s.A", "s.Z"]), router("acme", ["s.A"])]);
    assert.deepEqual(Object.keys(troubles(graph)), ["zulu"]);
    assert.equal(graph.routes.get("s.A"), "acme");
    assert.equal(graph.routes.get("s.Z"), "zulu", "callers must learn that it is down, not that nobody has it");
  });

  it("go where the config says, and then both run and clients may pick by package or type.id", () => {
    const graph = graphOf([router("acme", ["s.A"], true), router("zulu", ["s.A"])], {
      routes: new Map([["s.A", "zulu"]]),
    });
    assert.deepEqual(troubles(graph), {});
    assert.equal(graph.routes.get("s.A"), "zulu");
    assert.deepEqual(Object.fromEntries(graph.choices.get("s.A") ?? []), {
      acme: "acme",
      "t.acme.v1.x": "acme",
      zulu: "zulu",
      "t.zulu.v1.x": "zulu",
    });
  });

  it("say so when the config names a package that does not route the service", () => {
    const graph = graphOf([router("acme", ["s.A"])], { routes: new Map([["s.A", "nobody"]]) });
    assert.equal(graph.routes.get("s.A"), "acme");
    assert.deepEqual(graph.warnings, [
      "routes: {s.A: nobody} has no effect: package nobody does not route that service, these do: acme",
    ]);
  });

  it("of the host itself cannot be taken, not even by a shipped package or by the config", () => {
    const graph = graphOf([router("acme", ["host.Own"], true)], { routes: new Map([["host.Own", "acme"]]) });
    assert.equal(graph.routes.get("host.Own"), "control");
    assert.match(troubles(graph)["acme"] ?? "", /host\.Own is routed by control and acme.*the host's own/);
  });

  for (const service of [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "bulkhead.host.v1.Host",
    "plugin.GRPCStdio",
  ]) {
    it(`never go to a package for ${service}`, () => {
      const graph = graphOf([router("acme", [service, "s.A"])]);
      assert.equal(graph.routes.get(service), undefined);
      assert.equal(graph.routes.get("s.A"), "acme");
      assert.deepEqual(troubles(graph), {});
      assert.match(graph.warnings[0] ?? "", /the host's own/);
    });
  }

  it("may be one method of a service, which shipped packages share", () => {
    const graph = graphOf([router("bytes", ["/s.A/Read"], true), router("zulu", ["s.A"], true)]);
    assert.deepEqual(troubles(graph), {});
    assert.equal(graph.routes.get("/s.A/Read"), "bytes");
    assert.equal(graph.routes.get("s.A"), "zulu");
    assert.deepEqual(Object.fromEntries(graph.choices.get("/s.A/Read") ?? []), {
      bytes: "bytes",
      "t.bytes.v1.x": "bytes",
    });
  });

  it("of one method of another's service are refused to a stranger, unless the config chose", () => {
    for (const shipped of [true, false]) {
      const packages = [router("acme", ["/s.A/Read"]), router("zulu", ["s.A"], shipped)];
      const refused = graphOf(packages);
      assert.equal(refused.routes.get("s.A"), "zulu");
      assert.equal(refused.routes.get("/s.A/Read"), undefined, "the service's own package answers");
      assert.deepEqual(troubles(refused), {
        acme: 'failed: /s.A/Read is routed by zulu and acme; zulu keeps it. To choose, write "routes: {/s.A/Read: acme}" (or zulu) into the config',
      });
      const given = graphOf(packages, { routes: new Map([["/s.A/Read", "acme"]]) });
      assert.deepEqual(troubles(given), {});
      assert.equal(given.routes.get("/s.A/Read"), "acme");
      const kept = graphOf(packages, { routes: new Map([["/s.A/Read", "zulu"]]) });
      assert.deepEqual([troubles(kept), kept.warnings], [{}, []]);
      assert.equal(kept.routes.get("/s.A/Read"), "zulu");
    }
  });

  it("of a method of the host itself cannot be taken", () => {
    const graph = graphOf([router("acme", ["/host.Own/Get"], true)]);
    assert.match(troubles(graph)["acme"] ?? "", /host\.Own\/Get is routed by control and acme.*the host's own/);
  });

  it("of one package serve many plugins", () => {
    const many = pack("many", [
      plugin("t.m.v1.a", { routes: ["s.A"] }),
      plugin("t.m.v1.b", { routes: ["s.A", "s.B"] }),
    ]);
    const graph = graphOf([many]);
    assert.deepEqual(troubles(graph), {});
    assert.deepEqual([...(graph.choices.get("s.A")?.keys() ?? [])], ["many", "t.m.v1.a", "t.m.v1.b"]);
  });
});
