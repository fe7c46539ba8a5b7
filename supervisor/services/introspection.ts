import { Introspection } from "#proto/gen/containerd/services/introspection/v1/introspection_pb.ts";
import { classedError, HostError } from "#proto/wire/errors.ts";
import { compileFilters, filterField, type Filter, type FilterAdaptor } from "#proto/wire/filters.ts";
import { implement, type Service } from "#rpc";
import type { Supervision } from "../status.ts";
import type { HostFacts } from "./facts.ts";
import { hostUuid, pidNamespace } from "./host-identity.ts";
import { listPlugins, type PluginInfo } from "./plugin-info.ts";

/** containerd.services.introspection.v1 (services/introspection/service.go); `pid` and later fields are 1.7's. */
export function introspectionService(supervision: Supervision, facts: Pick<HostFacts, "root" | "pid">): Service {
  let uuid: Promise<string> | undefined; // one maker: two first calls must not make two
  return implement(Introspection, {
    plugins({ filters }) {
      const matches = compileOrThrow(filters);
      return { plugins: listPlugins(supervision).filter((plugin) => matches(adaptorOf(plugin))) };
    },
    pluginInfo({ type, id, options }) {
      const plugin = listPlugins(supervision).find((each) => each.type === type && each.id === id);
      if (plugin === undefined) throw classedError("not-found", `plugin ${type}.${id}`);
      if (options !== undefined) {
        throw classedError("unimplemented", `plugin ${type}.${id} takes no options for extra information`);
      }
      return { plugin };
    },
    async server() {
      uuid ??= hostUuid(facts.root);
      try {
        return { uuid: await uuid, pid: BigInt(facts.pid), pidns: await pidNamespace() };
      } catch (error) {
        uuid = undefined; // a full disk may be mended by the next question
        throw error;
      }
    },
  });
}

function compileOrThrow(filters: readonly string[]): Filter {
  try {
    return compileFilters(filters);
  } catch (error) {
    // containerd classes this error twice, in the parser and in the service.
    if (error instanceof HostError) throw classedError(error.kind, error.message, { cause: error });
    throw error;
  }
}

function adaptorOf(plugin: PluginInfo): FilterAdaptor {
  return ([field, ...rest]) => {
    if (rest.length > 0) return filterField(undefined);
    if (field === "type") return filterField(plugin.type);
    return filterField(field === "id" ? plugin.id : undefined);
  };
}
