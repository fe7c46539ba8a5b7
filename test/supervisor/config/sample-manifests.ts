import { parse } from "yaml";
import type { JsonObject } from "../../../supervisor/config/config.ts";

/** The fewest keys, on five lines: what a test adds is on line 6. */
export const smallest = `manifest: 1
name: acme
version: 1.4.0
command: [bin/acme]
plugins: [{ type: acme.thing.v1, id: x }]
`;

/** Every key the contract knows. */
export const whole = `
manifest: 1
name: acme
version: 1.4.0-rc.1
needs: { bulkhead: ">=0.3" }
protocol: bulkhead/1
command: [bin/acme, --listen, "\${socket}"]
plugins:
  - type: acme.thing.v1
    id: x
    serves: [s.A]
    routes: [s.B]
    requires: [acme.other.v1]
    wants: ["*"]
    calls: [acme.other.v1.y]
    capabilities: [fast]
    platforms: [linux/amd64, linux/arm/v7]
    config: schemas/x.json
    shows: []
methods: { /s.A/Get: { idempotent: true, timeout: 10s }, /s.A/Watch: { unbounded: true, redirects: true } }
activation: eager
idleStop: 60s
singleton: true
restart: { policy: transient, first: 1s, min: 200ms, max: 5s, intensity: 0, period: 1s }
readiness: { by: socket, timeout: 5s }
watchdog: { interval: 1s, misses: 1 }
parking: { policy: refuse, calls: 0, bytes: 1MiB, time: 1s }
stop: { grace: 1s, kill: process }
limits: { memory: 256MiB, cpu: 1.5, pids: 64, nofile: 4096, core: 0 }
user: acme
groups: [disk, 44]
noNewPrivileges: false
env: { A: b }
inheritEnv: true
data: { version: 3, reads: [2, 3] }
listen: [ttrpc]
redirects: [content]
x-free: [anything]
`;

const base = parse(smallest) as JsonObject;
const plugin = { type: "acme.thing.v1", id: "x" };

/** The smallest manifest with some keys changed; undefined takes one away. */
function change(changes: Readonly<Record<string, unknown>>): JsonObject {
  const changed = Object.entries({ ...base, ...changes }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(changed) as JsonObject;
}

/** Manifests that both the reader and the schema must take. */
export const validManifests: readonly JsonObject[] = [
  base,
  parse(whole) as JsonObject,
  change({ command: undefined, main: "index.ts" }),
  change({ command: undefined, main: "src/deep/index.ts", protocol: "bulkhead/1" }),
  change({ command: undefined, address: "/run/x.sock" }),
  change({ command: ["x", ""], user: 1000, groups: [0], unknown: 1 }),
  change({ limits: { memory: 1_048_576, core: "1GiB" }, stop: { grace: 0 }, parking: { time: "0s", bytes: 0 } }),
  change({ plugins: [plugin, { ...plugin, id: "y", "x-note": true }] }),
  change({ methods: { "/s.A/Get": {} }, env: {}, data: { version: 0 } }),
];

/** Manifests that neither may take, each wrong in one way. */
export const invalidManifests: readonly (readonly [title: string, manifest: JsonObject])[] = [
  ["no manifest version", change({ manifest: undefined })],
  ["a later manifest version", change({ manifest: 2 })],
  ["a manifest version that is text", change({ manifest: "1" })],
  ["no name", change({ name: undefined })],
  ["an upper-case name", change({ name: "Acme" })],
  ["a name of 33 letters", change({ name: "a".repeat(33) })],
  ["a name that climbs", change({ name: "../x" })],
  ["no version", change({ version: undefined })],
  ["a version of two numbers", change({ version: "1.4" })],
  ["a version that is a number", change({ version: 1.4 })],
  ["an unknown protocol", change({ protocol: "grpc" })],
  ["needs that are text", change({ needs: ">=1" })],
  ["no program", change({ command: undefined })],
  ["a shell line as command", change({ command: "bin/acme --listen" })],
  ["an empty command", change({ command: [] })],
  ["an empty program", change({ command: ["", "x"] })],
  ["a number in a command", change({ command: ["x", 1] })],
  ["two programs", change({ main: "index.ts" })],
  ["an absolute main", change({ command: undefined, main: "/etc/x.ts" })],
  ["a main that climbs", change({ command: undefined, main: "../x.ts" })],
  ["main by proxy", change({ command: undefined, main: "x.ts", protocol: "proxy" })],
  ["a relative address", change({ command: undefined, address: "x.sock" })],
  ["an address with a protocol", change({ command: undefined, address: "/x.sock", protocol: "proxy" })],
  ["no plugins", change({ plugins: undefined })],
  ["an empty list of plugins", change({ plugins: [] })],
  ["a plugin that is text", change({ plugins: ["x"] })],
  ["a plugin without type", change({ plugins: [{ id: "x" }] })],
  ["a plugin without id", change({ plugins: [{ type: "acme.thing.v1" }] })],
  ["a plugin type of two words", change({ plugins: [{ ...plugin, type: "acme.thing" }] })],
  ["a plugin id with a slash", change({ plugins: [{ ...plugin, id: "a/b" }] })],
  ["a route with a slash", change({ plugins: [{ ...plugin, routes: ["/s.A"] }] })],
  ["a requirement that is no type", change({ plugins: [{ ...plugin, requires: ["x"] }] })],
  ["calls that are text", change({ plugins: [{ ...plugin, calls: "acme.other.v1" }] })],
  ["a platform without architecture", change({ plugins: [{ ...plugin, platforms: ["linux"] }] })],
  ["a config schema that climbs", change({ plugins: [{ ...plugin, config: "a/../../b.json" }] })],
  ["a method without service", change({ methods: { Get: {} } })],
  ["a method that is idempotent by text", change({ methods: { "/s.A/Get": { idempotent: "yes" } } })],
  ["lazy activation", change({ activation: "lazy" })],
  ["a singleton by text", change({ singleton: "yes" })],
  ["an unknown restart policy", change({ restart: { policy: "always" } })],
  ["a negative intensity", change({ restart: { intensity: -1 } })],
  ["a duration that is none", change({ restart: { period: "1 day" } })],
  ["an unknown readiness", change({ readiness: { by: "log" } })],
  ["no misses", change({ watchdog: { misses: 0 } })],
  ["an unknown parking policy", change({ parking: { policy: "wait" } })],
  ["a size that is none", change({ parking: { bytes: "much" } })],
  ["an unknown kill", change({ stop: { kill: "all" } })],
  ["a section that is text", change({ stop: "10s" })],
  ["limits that are none", change({ limits: { cpu: 0 } })],
  ["pids that are no number", change({ limits: { pids: "64" } })],
  ["a user with a slash", change({ user: "a/b" })],
  ["groups that are text", change({ groups: "disk" })],
  ["a number in env", change({ env: { PORT: 80 } })],
  ["an env name with a dash", change({ env: { "A-B": "x" } })],
  ["data without version", change({ data: { reads: [1] } })],
  ["an unknown listener", change({ listen: ["grpc"] })],
  ["a redirect to no name", change({ redirects: ["A"] })],
];
