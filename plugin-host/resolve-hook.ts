import { registerHooks } from "node:module";

/** The module of that name beside this one: a source in a checkout, a bundle in an installed package. */
const entry = import.meta.url.endsWith(".ts") ? "./index.ts" : "./plugin.js";
const own: Readonly<Record<string, string>> = { "bulkhead/plugin": new URL(entry, import.meta.url).href };

/**
 * Lets a plugin in any folder import `bulkhead/plugin` (always this copy), and `@bufbuild/protobuf` where it has
 * none of its own.
 */
export function registerPluginImports(): void {
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const url = own[specifier];
      if (url !== undefined) return { url, shortCircuit: true };
      try {
        return nextResolve(specifier, context);
      } catch (error) {
        if (!specifier.startsWith("@bufbuild/protobuf")) throw error;
        return nextResolve(specifier, { ...context, parentURL: import.meta.url });
      }
    },
  });
}
