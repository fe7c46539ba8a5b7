/** `bulkhead/plugin`: everything a plugin's author imports. */
export {
  BadConfig,
  definePlugin,
  definePlugins,
  SkipPlugin,
  type ShownOffer,
  type Events,
  type Health,
  type Log,
  type Peer,
  type Peers,
  type PluginContext,
  type PluginDefinition,
  type PluginModule,
  type PluginOffer,
} from "./define-plugin.ts";
export {
  clientOf,
  embedMessages,
  EncodedMessage,
  implement,
  implementRaw,
  withRaw,
  type CallContext,
  type Channel,
  type Client,
  type Service,
  type ServiceImpl,
} from "#rpc";
export { classedError, HostError, isHostError, type ErrorKind } from "#proto/wire/errors.ts";
