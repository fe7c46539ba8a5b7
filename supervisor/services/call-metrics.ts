import type { DescService } from "@bufbuild/protobuf";
import { latencyBoundsMs } from "../router/latency-buckets.ts";
import type { RouterCounters } from "../router/route-table.ts";
import type { Exposition, LabelValues } from "./exposition.ts";

/** Names of gRPC codes as go-grpc-prometheus labels them, by number. */
const codeNames = [
  "OK",
  "Canceled",
  "Unknown",
  "InvalidArgument",
  "DeadlineExceeded",
  "NotFound",
  "AlreadyExists",
  "PermissionDenied",
  "ResourceExhausted",
  "FailedPrecondition",
  "Aborted",
  "OutOfRange",
  "Unimplemented",
  "Internal",
  "Unavailable",
  "DataLoss",
  "Unauthenticated",
] as const;

/**
 * Adds the router's calls under the names of containerd's interceptors (go-grpc-prometheus). The counters of single
 * messages are left out: the router relays bytes and does not look for messages in them.
 */
export async function addCalls(
  exposition: Exposition,
  counters: RouterCounters,
  options: { readonly histogram: boolean },
): Promise<void> {
  const { ownDescriptors } = await import("./own-descriptors.ts");
  const series = counters.methods.map((method) => ({ ...method, labels: labelsOf(method.method, ownDescriptors) }));
  const counter = (name: string, help: string) => exposition.family(name, "counter", help);
  const started = counter("grpc_server_started_total", "Total number of RPCs started on the server.");
  const handled = counter(
    "grpc_server_handled_total",
    "Total number of RPCs completed on the server, regardless of success or failure.",
  );
  const openCalls = exposition.family("bulkhead_method_open_calls", "gauge", "Calls in flight, waiting ones included.");
  const parked = exposition.family("bulkhead_method_parked_calls", "gauge", "Calls that wait for their package.");
  const requests = counter("bulkhead_method_request_bytes_total", "Bytes that callers sent.");
  const answers = counter("bulkhead_method_response_bytes_total", "Bytes that packages answered.");
  for (const method of series) {
    const labels = { package: method.package, ...method.labels };
    openCalls(labels, method.open);
    parked(labels, method.parked);
    requests(labels, method.requestBytes);
    answers(labels, method.answerBytes);
    started(method.labels, method.started);
    for (const [code, count] of Object.entries(method.handled)) {
      handled({ grpc_code: codeNames[Number(code)] ?? `Code(${code})`, ...method.labels }, count);
    }
  }
  if (options.histogram) addTimes(exposition, series);
  const gauge = (name: string, help: string, value: number) => exposition.family(name, "gauge", help)({}, value);
  gauge("bulkhead_open_calls", "Calls in flight in the router.", counters.openCalls);
  gauge("bulkhead_parked_calls", "Calls that wait in the router for a package.", counters.parkedCalls);
  gauge("bulkhead_connections", "Client connections of the router.", counters.connections);
}

type CallSeries = RouterCounters["methods"][number] & { readonly labels: LabelValues };

/** What `metrics.grpc_histogram` asks for. */
function addTimes(exposition: Exposition, series: readonly CallSeries[]): void {
  const name = "grpc_server_handling_seconds";
  const help = "Histogram of response latency (seconds) of gRPC that had been application-level handled by the server.";
  for (const { labels, tookBuckets, totalMs } of series) {
    let count = 0;
    for (const [at, calls] of tookBuckets.entries()) {
      count += calls;
      const bound = latencyBoundsMs[at];
      const le = bound === undefined ? "+Inf" : String(bound / 1000);
      exposition.part(name, "histogram", help, "_bucket")({ ...labels, le }, count);
    }
    exposition.part(name, "histogram", help, "_sum")(labels, totalMs / 1000);
    exposition.part(name, "histogram", help, "_count")(labels, count);
  }
}

const kindNames = {
  unary: "unary",
  client_streaming: "client_stream",
  server_streaming: "server_stream",
  bidi_streaming: "bidi_stream",
} as const;

/** A service without compiled descriptor counts as grpc-go counts what a proxy does not know: as bidi. */
function labelsOf(path: string, descriptors: ReadonlyMap<string, DescService>): LabelValues {
  const [, service = "", name = ""] = path.split("/");
  const kind = descriptors.get(service)?.methods.find((method) => method.name === name)?.methodKind;
  return { grpc_method: name, grpc_service: service, grpc_type: kindNames[kind ?? "bidi_streaming"] };
}
