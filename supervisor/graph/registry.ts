import { type PluginDeclaration, uriOf } from "../config/manifest.ts";

/** One registration and the package it belongs to. */
export interface Member {
  readonly package: string;
  readonly plugin: PluginDeclaration;
  readonly uri: string;
}

/** Every plugin of every package, in registration order: found by URI, type, or `*`. Immutable. */
export class Registry {
  /** No two with one URI: of those the first was taken. */
  readonly members: readonly Member[];
  readonly #byUri: ReadonlyMap<string, Member>;
  readonly #byType: ReadonlyMap<string, readonly Member[]>;

  constructor(packages: readonly { readonly name: string; readonly plugins: readonly PluginDeclaration[] }[]) {
    const byUri = new Map<string, Member>();
    for (const { name, plugins } of packages) {
      for (const plugin of plugins) {
        const uri = uriOf(plugin);
        if (!byUri.has(uri)) byUri.set(uri, { package: name, plugin, uri });
      }
    }
    this.#byUri = byUri;
    this.members = [...byUri.values()];
    this.#byType = Map.groupBy(this.members, ({ plugin }) => plugin.type);
  }

  /** What an item of `requires`, `wants`, `calls` or `shows` names: a `type.id`, else a type, or `*` for all. */
  find(item: string): readonly Member[] {
    if (item === "*") return this.members;
    const member = this.#byUri.get(item);
    return member === undefined ? (this.#byType.get(item) ?? []) : [member];
  }
}
