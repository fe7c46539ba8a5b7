import { mkdirSync } from "node:fs";
import { create } from "@bufbuild/protobuf";
import type { Service } from "#rpc";
import {
  FailureSchema,
  InitResponseSchema,
  OfferSchema,
  type Offer,
  ResultSchema,
  SkipSchema,
  type InitRequest,
  type InitResponse,
  type Registration,
  type Result,
} from "#proto/gen/bulkhead/plugin/v1/plugin_pb.ts";
import { HostError } from "#proto/wire/errors.ts";
import { codeOf, toHostError } from "#proto/wire/status.ts";
import {
  BadConfig,
  SkipPlugin,
  type ShownOffer,
  type Events,
  type Health,
  type Log,
  type Peers,
  type PluginContext,
  type PluginDefinition,
  type PluginModule,
  type PluginOffer,
} from "./define-plugin.ts";
import { sdkFeatures } from "./features.ts";

/** How one plugin of the package is. */
export interface Report extends Health {
  readonly type: string;
  readonly id: string;
}

/** What every plugin of the package shares. */
export interface PackageFacilities {
  readonly log: Log;
  readonly peers: Peers;
  readonly events: Events;
  readonly report: (report: Report) => Promise<void>;
  readonly signal: AbortSignal;
  readonly ttrpcListenerFd: number | undefined;
}

/** A plugin whose Init succeeded. */
export interface OpenPlugin {
  readonly uri: string;
  readonly offer: PluginOffer;
}

export interface InitOutcome {
  readonly response: InitResponse;
  readonly open: readonly OpenPlugin[];
  readonly services: readonly Service[];
}

/** Runs every definition in the order of the registrations; one that fails does not stop the others. */
export async function initPackage(
  module: PluginModule,
  request: InitRequest,
  shared: PackageFacilities,
): Promise<InitOutcome> {
  const results: Result[] = [];
  const open: OpenPlugin[] = [];
  for (const registration of request.registrations) {
    const uri = `${registration.type}.${registration.id}`;
    try {
      const offer = await initPlugin(definitionOf(module, uri), registration, request, shared);
      open.push({ uri, offer });
      results.push(okResult(registration, offer));
    } catch (error) {
      results.push(failedResult(registration, error, shared.log));
    }
  }
  const features = sdkFeatures(open);
  return {
    response: create(InitResponseSchema, { results, features }),
    open,
    services: open.flatMap(({ offer }) => offer.services ?? []),
  };
}

function definitionOf(module: PluginModule, uri: string): PluginDefinition<never> {
  const definition = module.definitions === "one" ? module.one : module.many[uri];
  if (definition === undefined) {
    throw new HostError("unimplemented", `the package's main module defines no plugin ${uri} that plugin.yaml names`);
  }
  return definition;
}

function initPlugin(
  definition: PluginDefinition<never>,
  registration: Registration,
  request: InitRequest,
  shared: PackageFacilities,
): Promise<PluginOffer> | PluginOffer {
  const { type, id, root, state, configJson } = registration;
  const config = (configJson.length === 0 ? {} : JSON.parse(Buffer.from(configJson).toString())) as never;
  const { report, ...facilities } = shared;
  const context: PluginContext<never> = {
    ...facilities,
    report: (health) => report({ type, id, ...health }),
    package: request.package,
    generation: request.generation,
    type,
    id,
    // Made when first asked for: most plugins keep nothing.
    get root() {
      return madeFolder(root);
    },
    get state() {
      return madeFolder(state);
    },
    config,
  };
  return definition.init(context);
}

function madeFolder(path: string): string {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  return path;
}

function okResult({ type, id }: Registration, offer: PluginOffer): Result {
  return create(ResultSchema, { type, id, outcome: { case: "ok", value: offerMessage(offer) } });
}

function offerMessage({ exports, capabilities = [], platforms = [] }: ShownOffer): Offer {
  return create(OfferSchema, {
    exports: { ...exports },
    capabilities: [...capabilities],
    platforms: platforms.map((platform) => ({ variant: "", ...platform })),
  });
}

function failedResult({ type, id }: Registration, thrown: unknown, log: Log): Result {
  if (thrown instanceof SkipPlugin) {
    return create(ResultSchema, {
      type,
      id,
      outcome: {
        case: "skip",
        value: create(SkipSchema, { reason: thrown.message, shown: offerMessage(thrown.shown) }),
      },
    });
  }
  const fields = thrown instanceof BadConfig ? [...thrown.fields] : [];
  const error = thrown instanceof BadConfig ? new HostError("invalid-argument", thrown.message) : toHostError(thrown);
  log.error("plugin failed to start", { plugin: `${type}.${id}`, error: thrown });
  const value = create(FailureSchema, { code: codeOf(error.kind), message: error.message, fields });
  return create(ResultSchema, { type, id, outcome: { case: "failure", value } });
}
