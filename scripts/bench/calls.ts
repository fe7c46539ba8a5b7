import { create, toBinary, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import {
  CreateContainerRequestSchema,
  GetContainerRequestSchema,
  UpdateContainerRequestSchema,
} from "#proto/gen/containerd/services/containers/v1/containers_pb.ts";
import { CreateImageRequestSchema, GetImageRequestSchema } from "#proto/gen/containerd/services/images/v1/images_pb.ts";
import {
  CreateNamespaceRequestSchema,
  ListNamespacesRequestSchema,
} from "#proto/gen/containerd/services/namespaces/v1/namespaces_pb.ts";
import { startBulkhead } from "../../test/harness/bulkhead-daemon.ts";
import { startStock, type Daemon } from "../../test/harness/stock-daemon.ts";
import { makeTempFolder } from "../../test/harness/temp-folder.ts";
import { runLoad, type LoadResult } from "./load.ts";
import { median, type Row } from "./report.ts";

const rounds = 3;
const writeCalls = 2000;
const readCalls = 20_000;
const namespace = "bench";

/** One kind of call; requests of a run carry its number, so that creates never meet. */
interface Kind {
  readonly what: string;
  readonly method: string;
  readonly write: boolean;
  request(index: number, run: string): Uint8Array;
}

const target = {
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  digest: `sha256:${"0".repeat(64)}`,
  size: 8n,
};
const container = {
  runtime: { name: "io.containerd.runc.v2" },
  spec: { typeUrl: "types.containerd.io/opencontainers/runtime-spec/1/Spec", value: Buffer.alloc(2048, "{") },
  labels: { one: "1", two: "2" },
};

const kinds: readonly Kind[] = [
  kind("namespace create", true, "namespaces.v1.Namespaces/Create", CreateNamespaceRequestSchema, (index, run) => ({
    namespace: { name: `n-${run}-${index}` },
  })),
  kind("image create", true, "images.v1.Images/Create", CreateImageRequestSchema, (index, run) => ({
    image: { name: `example.com/${run}/${index}:1`, target },
  })),
  kind("container create", true, "containers.v1.Containers/Create", CreateContainerRequestSchema, (index, run) => ({
    container: { id: `c-${run}-${index}`, ...container },
  })),
  kind("container update", true, "containers.v1.Containers/Update", UpdateContainerRequestSchema, (index, run) => ({
    container: { id: `c-${run}-${index}`, labels: { round: run } },
    updateMask: { paths: ["labels.round"] },
  })),
  kind("container get", false, "containers.v1.Containers/Get", GetContainerRequestSchema, (index, run) => ({
    id: `c-${run}-${index % writeCalls}`,
  })),
  kind("image get", false, "images.v1.Images/Get", GetImageRequestSchema, (index, run) => ({
    name: `example.com/${run}/${index % writeCalls}:1`,
  })),
  kind("namespace list", false, "namespaces.v1.Namespaces/List", ListNamespacesRequestSchema, () => ({ filter: "" })),
  kind("version", false, "version.v1.Version/Version", ListNamespacesRequestSchema, () => ({})),
];

function kind<D extends DescMessage>(
  what: string,
  write: boolean,
  method: string,
  schema: D,
  make: (index: number, run: string) => MessageInitShape<D>,
): Kind {
  return {
    what,
    write,
    method: `/containerd.services.${method}`,
    request: (index, run) => toBinary(schema, create(schema, make(index, run))),
  };
}

type Results = Map<string, { stock: LoadResult[]; bulkhead: LoadResult[] }>;

export async function measureCalls(): Promise<readonly Row[]> {
  await using folder = await makeTempFolder("n");
  await using stock = await startStock();
  await using ours = await startBulkhead();
  const results: Results = new Map();
  // Both are daemons that run for weeks: the first round warms them up and is not counted.
  for (let round = -1; round < rounds; round++) {
    if (round === 0) results.clear();
    for (const clients of [1, 16]) {
      for (const item of kinds) {
        for (const daemon of [stock, ours])
          await measure(daemon, item, clients, `r${round + 1}-${clients}`, folder.path, results);
      }
    }
  }
  return rowsOf(results);
}

async function measure(
  daemon: Daemon,
  item: Kind,
  clients: number,
  run: string,
  folder: string,
  results: Results,
): Promise<void> {
  const count = item.what === "namespace list" ? readCalls / 100 : item.write ? writeCalls : readCalls;
  const requests = Array.from({ length: count }, (_, index) => item.request(index, run));
  const result = await runLoad({ socket: daemon.address, method: item.method, namespace, clients, requests }, folder);
  const key = `${item.what}, ${clients} client${clients === 1 ? "" : "s"}`;
  const entry = results.get(key) ?? { stock: [], bulkhead: [] };
  entry[daemon.name].push(result);
  results.set(key, entry);
}

function rowsOf(results: Results): Row[] {
  return [...results].flatMap(([what, { stock, bulkhead }]): Row[] => {
    const item = kinds.find((candidate) => what.startsWith(candidate.what));
    const many = what.includes("16 clients");
    const ratio = item?.write === true ? (many ? 3 : undefined) : 0.4;
    const of = (list: readonly LoadResult[], pick: (result: LoadResult) => number) => median(list.map(pick));
    const rate = (result: LoadResult) => result.calls / result.seconds;
    const latency = (percentile: string, pick: (result: LoadResult) => number, bound?: number): Row => ({
      what: `  ${percentile}`,
      unit: "µs",
      stock: of(stock, pick),
      ours: of(bulkhead, pick),
      ...(bound === undefined ? {} : { bound: { ratio: bound } }),
      lessIsBetter: true,
    });
    return [
      {
        what,
        unit: "calls/s",
        stock: of(stock, rate),
        ours: of(bulkhead, rate),
        ...(ratio === undefined ? {} : { bound: { ratio } }),
        lessIsBetter: false,
      },
      latency("p50", (result) => result.p50us),
      latency("p99", (result) => result.p99us, item?.write === true && many ? 1 : undefined),
    ];
  });
}
