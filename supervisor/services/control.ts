import type { MessageInitShape } from "@bufbuild/protobuf";
import { join } from "node:path";
import { Control, type GetPackageResponseSchema } from "#proto/gen/bulkhead/control/v1/control_pb.ts";
import { HostError } from "#proto/wire/errors.ts";
import { implement, type Service } from "#rpc";
import { uriOf } from "../config/manifest.ts";
import type { PackageCrashes } from "../crash/crash-reporter.ts";
import type { PackageView, Supervision } from "../status.ts";
import { controlPackage } from "./built-in-plugins.ts";
import type { HostFacts } from "./facts.ts";
import { readLog } from "./log-reader.ts";
import { pluginStatuses } from "./plugin-status.ts";

/** Where the service is answered: on the main socket nothing may be changed. */
export type ControlAudience = "main" | "admin";

/** bulkhead.control.v1 for one of its two sockets. */
export function controlService(
  supervision: Supervision,
  facts: Pick<HostFacts, "state">,
  audience: ControlAudience,
): Service {
  const adminSocket = join(facts.state, "admin.sock");
  return implement(Control, {
    listPlugins: () => ({ plugins: supervision.packages().flatMap(pluginStatuses) }),
    getPackage: async ({ name }) => {
      const view = packageOrThrow(supervision, name);
      return describePackage(view, await supervision.crashes(name));
    },
    readLog(request, { signal }) {
      const view = packageOrThrow(supervision, request.package);
      if (view.logFile === "") throw new HostError("failed-precondition", noLogText(view));
      return dataOf(readLog(supervision, view.name, request, signal));
    },
    async restartPackage({ name }, { signal, method }) {
      if (audience === "main") {
        throw new HostError("permission-denied", `${method} changes the daemon: call it on ${adminSocket}`);
      }
      const view = packageOrThrow(supervision, name);
      if (view.tier === "built-in" || view.tier === "external") {
        throw new HostError("failed-precondition", `restart package ${name}: ${notOursText(view)}`);
      }
      await supervision.restart(name, signal);
      return { plugins: pluginStatuses(packageOrThrow(supervision, name)) };
    },
  });
}

/** The package of that name; throws not-found naming those there are. */
export function packageOrThrow(supervision: Supervision, name: string): PackageView {
  const view = supervision.package(name);
  if (view !== undefined) return view;
  const known = supervision.packages().map((each) => each.name);
  throw new HostError("not-found", `package "${name}" is not known; there are: ${known.join(", ")}`);
}

function describePackage(
  view: PackageView,
  crashes: PackageCrashes,
): MessageInitShape<typeof GetPackageResponseSchema> {
  const declared = view.plugins.map((plugin) => plugin.declaration);
  const all = (key: "serves" | "routes" | "requires" | "wants" | "calls") => [
    ...new Set(declared.flatMap((declaration) => declaration[key])),
  ];
  return {
    name: view.name,
    version: view.version,
    tier: view.tier,
    folder: view.folder,
    plugins: pluginStatuses(view),
    serves: all("serves"),
    routes: all("routes"),
    requires: all("requires"),
    wants: all("wants"),
    calls: all("calls"),
    configJson: configTexts(view, declared.map(uriOf)),
    notes: [...view.notes],
    logFile: view.logFile,
    crashFiles: [...crashes.files],
    ...(crashes.last === undefined ? {} : { lastCrash: crashes.last }),
  };
}

function configTexts(view: PackageView, uris: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    uris.flatMap((uri) => (uri in view.config ? [[uri, JSON.stringify(view.config[uri])]] : [])),
  );
}

async function* dataOf(chunks: AsyncIterable<Uint8Array>) {
  for await (const data of chunks) yield { data };
}

function noLogText(view: PackageView): string {
  return `read the log of package ${view.name}: it has no output file, ${notOursText(view)}`;
}

function notOursText(view: PackageView): string {
  return view.name === controlPackage
    ? "it is the daemon itself and writes to the daemon's stderr"
    : "something else runs it, only its socket is known here";
}
