import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { PluginDeclaration } from "../../../supervisor/config/manifest.ts";
import { introspectionOrder } from "../../../supervisor/graph/introspection-order.ts";
import { Registry } from "../../../supervisor/graph/registry.ts";
import { plugin } from "./sample-packages.ts";

/** What containerd 1.6.20 lists with CRI disabled, in its order, and what each prints as requires; types shortened. */
const stock = `
content.v1.content
snapshotter.v1.native
snapshotter.v1.overlayfs
metadata.v1.bolt content.v1 snapshotter.v1
differ.v1.walking metadata.v1
event.v1.exchange
gc.v1.scheduler metadata.v1
service.v1.introspection-service
service.v1.containers-service event.v1 metadata.v1
service.v1.content-service event.v1 metadata.v1
service.v1.diff-service differ.v1
service.v1.images-service metadata.v1 gc.v1
service.v1.leases-service metadata.v1
service.v1.namespaces-service event.v1 metadata.v1
service.v1.snapshots-service event.v1 metadata.v1
runtime.v1.linux event.v1 metadata.v1
runtime.v2.task event.v1 metadata.v1
monitor.v1.cgroups event.v1
service.v1.tasks-service event.v1 runtime.v1 runtime.v2 metadata.v1 monitor.v1
grpc.v1.introspection service.v1
internal.v1.restart event.v1 service.v1
grpc.v1.containers service.v1
grpc.v1.content service.v1
grpc.v1.diff service.v1
grpc.v1.events event.v1
grpc.v1.healthcheck
grpc.v1.images service.v1
grpc.v1.leases service.v1
grpc.v1.namespaces service.v1
internal.v1.opt
grpc.v1.snapshots service.v1
grpc.v1.tasks service.v1
grpc.v1.version`
  .trim()
  .split("\n")
  .map((line) => {
    const [uri = "", ...shows] = line.split(" ");
    const full = (name: string): string => `io.containerd.${name}`;
    return plugin(full(uri), { shows: shows.map(full) });
  });

const uris = (plugins: readonly PluginDeclaration[]): string[] => plugins.map(({ type, id }) => `${type}.${id}`);

/** Packages are found in folders by name, control first: any order but containerd's. */
function listed(plugins: readonly PluginDeclaration[]): string[] {
  const registry = new Registry([{ name: "p", plugins }]);
  return introspectionOrder(registry.members).map(({ uri }) => uri);
}

describe("introspection's order", () => {
  it("is containerd's for all that it and we have, however they were found", () => {
    assert.deepEqual(listed(stock), uris(stock));
    assert.deepEqual(listed(stock.toReversed()), uris(stock));
    assert.deepEqual(listed(stock.toSorted((a, b) => (a.id < b.id ? -1 : 1))), uris(stock));
  });

  for (const left of ["differ.v1", "snapshotter.v1", "runtime.v2", "content.v1", "event.v1", "service.v1"]) {
    it(`is containerd's for the rest when ${left} is not there`, () => {
      const rest = stock.filter(({ type }) => type !== `io.containerd.${left}`);
      assert.deepEqual(listed(rest.toReversed()), uris(rest));
    });
  }

  it("puts an unknown plugin behind, unless a known one prints its type as required", () => {
    const mine = plugin("io.containerd.snapshotter.v1.mine");
    const other = plugin("acme.thing.v1.x", { shows: ["io.containerd.content.v1"] });
    const order = listed([other, mine, ...stock]);
    assert.equal(
      order.indexOf("io.containerd.snapshotter.v1.mine") + 1,
      order.indexOf("io.containerd.metadata.v1.bolt"),
    );
    assert.equal(order.at(-1), "acme.thing.v1.x");
  });

  it("uses requires and wants where nothing else is to be shown, and survives a cycle", () => {
    const a = plugin("t.a.v1.x", { requires: ["t.b.v1"] });
    const b = plugin("t.b.v1.x", { wants: ["t.a.v1", "t.c.v1"] });
    const c = plugin("t.c.v1.x");
    assert.deepEqual(listed([a, b, c]), ["t.c.v1.x", "t.b.v1.x", "t.a.v1.x"]);
  });
});
