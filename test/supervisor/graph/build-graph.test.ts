import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Manifest } from "../../../supervisor/config/manifest.ts";
import { graphOf, orderOf, pack, plugin, troubles } from "./sample-packages.ts";

const store = pack("store", [plugin("t.store.v1.disk")]);

describe("start order", () => {
  const cases: readonly [title: string, manifests: readonly Manifest[], order: string, requirements: object][] = [
    [
      "puts a required type first, any member of which will do",
      [
        pack("user", [plugin("t.user.v1.x", { requires: ["t.store.v1"] })]),
        store,
        pack("store2", [plugin("t.store.v1.ram")]),
      ],
      "store store2 user",
      { user: [{ item: "t.store.v1", providers: ["store", "store2"] }] },
    ],
    [
      "puts a required type.id first, and only that",
      [
        pack("user", [plugin("t.user.v1.x", { requires: ["t.store.v1.ram"] })]),
        store,
        pack("store2", [plugin("t.store.v1.ram")]),
      ],
      "store2 user store",
      { user: [{ item: "t.store.v1.ram", providers: ["store2"] }] },
    ],
    [
      "puts what is wanted first without requiring it",
      [pack("user", [plugin("t.user.v1.x", { wants: ["t.store.v1", "t.gone.v1"] })]), store],
      "store user",
      {},
    ],
    [
      "gives no order for what is only called",
      [pack("user", [plugin("t.user.v1.x", { calls: ["t.store.v1"] })]), store],
      "user store",
      {},
    ],
    [
      "keeps a requirement that nothing installed can meet",
      [pack("user", [plugin("t.user.v1.x", { requires: ["t.gone.v1"] })])],
      "user",
      { user: [{ item: "t.gone.v1", providers: [] }] },
    ],
    [
      "asks for nothing that the package or the host itself has",
      [
        pack("both", [plugin("t.store.v1.own"), plugin("t.user.v1.x", { requires: ["t.store.v1", "t.control.v1"] })]),
        store,
      ],
      "both store",
      {},
    ],
    [
      "puts * behind everyone but those that need it",
      [
        pack("last", [plugin("t.last.v1.x", { wants: ["*"] })]),
        store,
        pack("tail", [plugin("t.tail.v1.x", { requires: ["t.last.v1"] })]),
      ],
      "store last tail",
      { tail: [{ item: "t.last.v1", providers: ["last"] }] },
    ],
    [
      "lets two * go without each other, and requires each other package when it is required",
      [pack("p", [plugin("t.p.v1.x", { requires: ["*"] })]), pack("q", [plugin("t.q.v1.x", { wants: ["*"] })]), store],
      "store p q",
      { p: [{ item: "*", providers: ["store"] }] },
    ],
  ];
  for (const [title, manifests, order, requirements] of cases) {
    it(title, () => {
      const graph = graphOf(manifests);
      assert.equal(orderOf(graph).join(" "), order);
      assert.deepEqual(troubles(graph), {});
      const needed = graph.plans.filter((plan) => plan.requirements.length > 0);
      assert.deepEqual(Object.fromEntries(needed.map((plan) => [plan.manifest.name, plan.requirements])), requirements);
    });
  }

  it("tells which packages are wanted", () => {
    const graph = graphOf([pack("user", [plugin("t.user.v1.x", { wants: ["t.store.v1"] })]), store]);
    assert.deepEqual(graph.plans.find(({ manifest }) => manifest.name === "user")?.wants, ["store"]);
    assert.deepEqual(graph.waves, [["store"], ["user"]]);
  });
});

describe("what fails", () => {
  it("fails the members of a cycle with its path, others go on", () => {
    const graph = graphOf([
      pack("a", [plugin("t.a.v1.x", { requires: ["t.b.v1"] })]),
      pack("b", [plugin("t.b.v1.x", { wants: ["t.a.v1"] })]),
      pack("behind", [plugin("t.c.v1.x", { requires: ["t.a.v1"] })]),
      store,
    ]);
    const text = "change requires or wants of one of them";
    assert.deepEqual(troubles(graph), {
      a: `failed: dependency cycle: a -> b -> a; ${text}`,
      b: `failed: dependency cycle: b -> a -> b; ${text}`,
    });
    const behind = graph.plans.find(({ manifest }) => manifest.name === "behind");
    assert.deepEqual(behind?.requirements, [{ item: "t.a.v1", providers: ["a"] }]);
  });

  it("fails the later of two packages with one URI, the shipped one stays", () => {
    const graph = graphOf([
      pack("first", [plugin("t.store.v1.disk")]),
      { ...store, shipped: true },
      pack("third", [plugin("t.control.v1.own")]),
    ]);
    assert.deepEqual(Object.keys(troubles(graph)).toSorted(), ["first", "third"]);
    assert.match(troubles(graph)["first"] ?? "", /t\.store\.v1\.disk is registered by store already/);
    assert.match(troubles(graph)["third"] ?? "", /registered by control already/);
  });

  it("keeps the failure of a broken manifest, and lets others wait for that package", () => {
    const graph = graphOf([], {
      packages: [
        { manifest: store, failure: "plugin.yaml:3:1: broken" },
        { manifest: pack("user", [plugin("t.user.v1.x", { requires: ["t.store.v1"] })]) },
      ],
    });
    assert.deepEqual(troubles(graph), { store: "failed: plugin.yaml:3:1: broken" });
    const user = graph.plans.find(({ manifest }) => manifest.name === "user");
    assert.deepEqual(user?.requirements, [{ item: "t.store.v1", providers: ["store"] }]);
  });
});

describe("disabled and required plugins", () => {
  const two = pack("two", [plugin("t.x.v1.a", { routes: ["s.A"] }), plugin("t.x.v1.b", { routes: ["s.B"] })]);

  it("drops a disabled plugin, its routes and its place in the listing", () => {
    const graph = graphOf([two], { disabled: ["t.x.v1.a"] });
    assert.deepEqual(
      graph.plans[0]?.manifest.plugins.map(({ id }) => id),
      ["b"],
    );
    assert.deepEqual([...graph.routes.keys()], ["host.Own", "host.More", "s.B"]);
    assert.ok(!graph.introspection.some(({ uri }) => uri === "t.x.v1.a"));
  });

  it("disables a package when all its plugins are, which satisfies nobody", () => {
    const user = pack("user", [plugin("t.user.v1.x", { requires: ["t.x.v1"] })]);
    const graph = graphOf([two, user], { disabled: ["t.x.v1.a", "t.x.v1.b"] });
    assert.deepEqual(Object.keys(troubles(graph)), ["two"]);
    assert.match(troubles(graph)["two"] ?? "", /^disabled: /);
    assert.deepEqual(graph.plans[0]?.requirements, [{ item: "t.x.v1", providers: [] }]);
  });

  it("takes bare ids in version 1 only", () => {
    assert.equal(graphOf([two], { disabled: ["a"], version: 1 }).plans[0]?.manifest.plugins.length, 1);
    assert.equal(graphOf([two], { disabled: ["a"] }).plans[0]?.manifest.plugins.length, 2);
  });

  it("lets a disabled URI be registered by another", () => {
    const other = pack("other", [plugin("t.store.v1.disk")]);
    assert.deepEqual(Object.keys(troubles(graphOf([store, other], { disabled: ["t.store.v1.disk"] }))), [
      "store",
      "other",
    ]);
  });

  it("names the packages of required plugins, and with containerd's text those that are absent or disabled", () => {
    const graph = graphOf([two, store], {
      required: ["t.x.v1.b", "t.gone.v1.x", "t.store.v1.disk"],
      disabled: ["t.store.v1.disk"],
    });
    assert.deepEqual([...graph.requiredPackages], ["two"]);
    assert.deepEqual(graph.missingRequired, ["required plugin [t.gone.v1.x t.store.v1.disk] not included"]);
  });
});

describe("who may call what", () => {
  const blobs = (name: string, id: string) => pack(name, [plugin(`t.store.v1.${id}`, { serves: ["s.Blobs"] })]);

  it("permits the services of what is required, wanted or called, and no others", () => {
    const graph = graphOf([
      blobs("disk", "disk"),
      pack("user", [
        plugin("t.user.v1.x", { calls: ["t.store.v1"] }),
        plugin("t.user.v1.y", { wants: ["t.control.v1"] }),
      ]),
      pack("stranger", [plugin("t.z.v1.x", { routes: ["s.Z"] })]),
    ]);
    const user = graph.plans.find(({ manifest }) => manifest.name === "user");
    assert.deepEqual(user?.calls, {
      "host.Own": { package: "control", choices: { control: "control", "t.control.v1.own": "control" } },
      "s.Blobs": { package: "disk", choices: { disk: "disk", "t.store.v1.disk": "disk" } },
    });
    assert.deepEqual(
      user?.peers.map((peer) => peer.plugin.type),
      ["t.control.v1", "t.store.v1"],
    );
  });

  it("prefers the package that keeps the service's route, and offers the others by type.id", () => {
    const routing = pack("zeta", [plugin("t.store.v1.z", { routes: ["s.Blobs"] })]);
    const graph = graphOf([
      blobs("disk", "disk"),
      routing,
      pack("user", [plugin("t.u.v1.x", { calls: ["t.store.v1"] })]),
    ]);
    const calls = graph.plans.find(({ manifest }) => manifest.name === "user")?.calls["s.Blobs"];
    assert.equal(calls?.package, "zeta");
    assert.equal(calls?.choices["t.store.v1.disk"], "disk");
  });

  it("never permits a service that is the host's own on every package", () => {
    const healthy = pack("h", [plugin("t.h.v1.x", { serves: ["grpc.health.v1.Health", "s.H"] })]);
    const graph = graphOf([healthy, pack("user", [plugin("t.u.v1.x", { calls: ["t.h.v1"] })])]);
    assert.deepEqual(Object.keys(graph.plans[1]?.calls ?? {}), ["s.H"]);
  });
});
