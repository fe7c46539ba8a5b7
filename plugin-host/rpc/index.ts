/** gRPC without any engine's types: services, clients, servers. A leaf: imports `#proto` alone. */
export type {
  CallContext,
  CallOptions,
  Channel,
  Client,
  ConnectOptions,
  Metadata,
  RawHandler,
  ServeOptions,
  Server,
  Service,
  ServiceImpl,
} from "./types.ts";
export { clientOf } from "./client.ts";
export { connect } from "./http2/channel.ts";
export { embedMessages, EncodedMessage } from "./encoded-message.ts";
export { serve } from "./http2/serve.ts";
export { implement, implementRaw, withRaw } from "./implement.ts";
export { reflectionServices, sourceOfDescriptors, type ReflectionSource } from "./reflection.ts";
