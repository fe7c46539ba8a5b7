/** Channels on grpc-js, imported as `#rpc/grpc-js`: for the command line, which wants every kind of target. */
export { connectGrpcJs } from "./channel.ts";
