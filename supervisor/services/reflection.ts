import type { DescService } from "@bufbuild/protobuf";
import { isHostError } from "#proto/wire/errors.ts";
import { reflectionServices, sourceOfDescriptors, type ReflectionSource, type Service } from "#rpc";
import type { PackageView, Supervision } from "../status.ts";
import type { PackageChannels } from "./package-channels.ts";

/**
 * grpc.reflection v1 and v1alpha over every service routed on the main socket. Descriptors are our compiled ones,
 * else what the package that keeps the route tells by its own reflection; without that only names are listed.
 */
export function reflectionOfRoutes(
  supervision: Supervision,
  channels: PackageChannels,
  names: () => readonly string[],
): Service[] {
  const foreign = new ForeignSources(supervision, channels);
  const candidates = async function* (symbol: string): AsyncGenerator<ReflectionSource> {
    const { ownDescriptors } = await import("./own-descriptors.ts");
    yield sourceOfDescriptors(() => [...ownDescriptors.values()]);
    yield* foreign.sources(symbol, (service) => ownDescriptors.has(service));
  };
  const firstAnswer = async (
    symbol: string,
    question: (source: ReflectionSource) => ReturnType<ReflectionSource["fileByName"]>,
  ) => {
    for await (const source of candidates(symbol)) {
      const files = await question(source);
      if (files !== undefined) return files;
    }
    return undefined;
  };
  return reflectionServices({
    services: names,
    fileOfSymbol: (symbol) => firstAnswer(symbol, (source) => source.fileOfSymbol(symbol)),
    fileByName: (name) => firstAnswer("", (source) => source.fileByName(name)),
  });
}

/** What foreign packages told of themselves. Owns: the cache, one entry a package, renewed with its generation. */
class ForeignSources {
  readonly #supervision: Supervision;
  readonly #channels: PackageChannels;
  readonly #known = new Map<string, { readonly generation: number; readonly services: Promise<DescService[]> }>();

  constructor(supervision: Supervision, channels: PackageChannels) {
    this.#supervision = supervision;
    this.#channels = channels;
  }

  /** Sources of the packages whose routes are not all compiled in, the likely owner of `symbol` first. */
  async *sources(symbol: string, isCompiled: (service: string) => boolean): AsyncGenerator<ReflectionSource> {
    const routes = [...this.#supervision.routes()].filter(([service]) => !isCompiled(service));
    const owners = routes.filter(([service]) => symbol === service || symbol.startsWith(`${service}.`));
    for (const name of new Set([...owners, ...routes].map(([, owner]) => owner))) {
      const view = this.#supervision.package(name);
      if (view === undefined) continue;
      const services = routes.filter(([, owner]) => owner === name).map(([service]) => service);
      const found = await this.#servicesOf(view, services);
      yield sourceOfDescriptors(() => found);
    }
  }

  async #servicesOf(view: PackageView, services: readonly string[]): Promise<readonly DescService[]> {
    const known = this.#known.get(view.name);
    if (known?.generation === view.generation) return known.services;
    const asking = this.#ask(view, services);
    this.#known.set(view.name, { generation: view.generation, services: asking });
    return asking;
  }

  /** Never throws: a package that cannot tell has its names listed only. */
  async #ask(view: PackageView, services: readonly string[]): Promise<DescService[]> {
    try {
      const { fetchDescriptors } = await import("./foreign-descriptors.ts");
      return await fetchDescriptors(this.#channels.to(view), services);
    } catch (error) {
      // Away or slow may be over at the next question; the rest will not change in this generation.
      const passing = isHostError(error, "unavailable") || isHostError(error, "deadline-exceeded");
      if (passing) this.#known.delete(view.name);
      return [];
    }
  }
}
