import assert from "node:assert/strict";
import { test } from "node:test";
import { manifestDefaults } from "../../../supervisor/config/manifest-defaults.ts";
import type { GroupUsage } from "../../../supervisor/process/cgroup/instance-cgroup.ts";
import { UsageSampler, type LimitMet } from "../../../supervisor/process/usage-sampler.ts";

const nothing: GroupUsage = {
  memoryBytes: undefined,
  memoryPeakBytes: undefined,
  memoryHits: 0,
  oomKills: 0,
  cpuHits: 0,
  pidsHits: 0,
};

function sampled() {
  const base = manifestDefaults("acme", "proxy");
  const manifest = { ...base, limits: { ...base.limits, memoryBytes: 2 ** 26, pids: 9 } };
  const instance = { manifest, generation: 1, pid: process.pid, counted: nothing, usage: () => instance.counted };
  const met: LimitMet[] = [];
  const clock = { ms: 1_000_000 };
  const sampler = new UsageSampler(
    () => [instance],
    (limit) => met.push(limit),
    () => clock.ms,
  );
  return { sampler, instance, met, clock };
}

test("a limit is told when it is met, once in a minute, with how often and what to do", () => {
  const { sampler, instance, met, clock } = sampled();
  using _ = sampler;
  sampler.look();
  assert.deepEqual(met, []);
  instance.counted = { ...nothing, memoryHits: 3 };
  for (let tick = 0; tick < 30; tick++, clock.ms += 1000) sampler.look();
  assert.deepEqual(
    met.map(({ resource, times, limit, generation }) => [resource, times, limit, generation]),
    [["memory", 3, "64MiB", 1]],
  );
  assert.match(sampler.notesOf("acme").join(), /^memory has met limits\.memory \(64MiB\) 3 times: .*raise the limit/);
  instance.counted = { ...nothing, memoryHits: 8, pidsHits: 1 };
  for (let tick = 0; tick < 40; tick++, clock.ms += 1000) sampler.look();
  assert.deepEqual(
    met.slice(1).map(({ resource, times }) => [resource, times]),
    [
      ["pids", 1],
      ["memory", 8],
    ],
  );
});

test("children that the kernel killed for memory are told though the package lives", () => {
  const { sampler, instance, met } = sampled();
  using _ = sampler;
  instance.counted = { ...nothing, memoryHits: 8, oomKills: 2 };
  sampler.look();
  assert.match(met[0]?.cause ?? "", /the kernel has killed 2 of its processes/);
});

test("a new generation starts from nothing", () => {
  const { sampler, instance, met } = sampled();
  using _ = sampler;
  instance.counted = { ...nothing, pidsHits: 1 };
  sampler.look();
  instance.generation = 2;
  instance.counted = nothing;
  sampler.look();
  assert.deepEqual([met.length, sampler.notesOf("acme")], [1, []]);
  assert.deepEqual([sampler.samplesOf("acme", 1), sampler.samplesOf("acme", 2).length], [[], 1]);
});

test("memory and CPU are sampled at first sight and then every tenth look, a minute of them kept", () => {
  const { sampler, instance, clock } = sampled();
  using _ = sampler;
  for (let tick = 0; tick < 200; tick++, clock.ms += 1000) sampler.look();
  const samples = sampler.samplesOf("acme", 1);
  assert.equal(samples.length, 6);
  assert.equal((samples.at(-1)?.atMs ?? 0) - (samples[0]?.atMs ?? 0), 50_000);
  assert.ok((samples[0]?.residentBytes ?? 0) > 1_000_000);
  instance.pid = 2 ** 22 + 1; // nobody
  sampler.look();
});
