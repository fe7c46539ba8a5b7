import assert from "node:assert/strict";
import { test } from "node:test";
import { Health, HealthCheckResponse_ServingStatus as Status } from "#proto/gen/grpc/health/v1/health_pb.ts";
import { within } from "../../harness/deadline.ts";
import { declaration, packageView, plugin, SampleSupervision } from "./sample-supervision.ts";
import { ServedControl } from "./served-control.ts";

const thing = declaration("acme.thing.v1", "one", { routes: ["acme.v1.Thing"] });

function sample(): SampleSupervision {
  return new SampleSupervision(packageView("acme", [plugin(thing)]));
}

test("Check knows the host, packages, plugins and routed services", async () => {
  const supervision = sample();
  await using control = await ServedControl.start(supervision);
  const client = control.client(Health);
  const names = ["acme", "acme.thing.v1.one", "acme.v1.Thing"];
  const others = ["", "control", "containerd.services.version.v1.Version", "io.containerd.grpc.v1.version"];
  for (const service of [...names, ...others]) {
    assert.equal((await client.check({ service })).status, Status.SERVING, service);
  }
  supervision.change("acme", { state: "backoff" });
  for (const service of names) {
    assert.equal((await client.check({ service })).status, Status.NOT_SERVING, service);
  }
});

test("Check answers NOT_FOUND for a name nobody has, as stock does", async () => {
  await using control = await ServedControl.start(sample());
  await assert.rejects(control.client(Health).check({ service: "nope" }), {
    kind: "not-found",
    message: "unknown service",
  });
});

test("Watch tells each change once and stops watching when the caller goes", async () => {
  const supervision = sample();
  await using control = await ServedControl.start(supervision);
  const answers = control.client(Health).watch({ service: "acme" })[Symbol.asyncIterator]();
  const next = async () => {
    const answer = await within("a health answer", answers.next());
    return answer.done === true ? undefined : answer.value.status;
  };
  assert.equal(await next(), Status.SERVING);
  supervision.change("acme", { reason: "still fine" });
  supervision.change("acme", { state: "unhealthy" });
  assert.equal(await next(), Status.NOT_SERVING);
  supervision.change("acme", { state: "ready" });
  assert.equal(await next(), Status.SERVING);
  assert.equal(supervision.watchers, 1);
  const unwatched = watcherGone(supervision);
  await answers.return?.();
  await within("the watcher is gone", unwatched);
});

test("Watch of an unknown name answers SERVICE_UNKNOWN and stays open", async () => {
  await using control = await ServedControl.start(sample());
  for await (const { status } of control.client(Health).watch({ service: "nope" })) {
    assert.equal(status, Status.SERVICE_UNKNOWN);
    break;
  }
});

/** Resolves when the sample's last watcher is taken away. */
function watcherGone(supervision: SampleSupervision): Promise<void> {
  return new Promise((resolve) => supervision.whenUnwatched(resolve));
}
