import { Health } from "#proto/gen/grpc/health/v1/health_pb.ts";
import { Introspection } from "#proto/gen/containerd/services/introspection/v1/introspection_pb.ts";
import { Version } from "#proto/gen/containerd/services/version/v1/version_pb.ts";
import { compareCases } from "./compare.ts";
import { missingMethod, rawCall } from "./raw.ts";
import { call, run, view } from "./steps.ts";

/** Both print a version of their own; the shape must be the same. */
const shape = (outcome: unknown): string[] => {
  const { stdout } = outcome as { stdout: string };
  return stdout
    .split("\n")
    .filter((line) => !line.includes("WARNING"))
    .map((line) => line.replace(/(Version|Revision|Go version): .*/, "$1"));
};

compareCases("version", [
  { title: "ctr prints client and server", steps: [view(run(["version"]), shape)] },
  {
    title: "Version needs no namespace and has both fields",
    steps: [
      view(call(Version, "version", {}, { namespace: "" }), (outcome) => {
        const { answers } = outcome as unknown as { answers: { version: string; revision: string }[] };
        return answers.map(({ version, revision }) => [version !== "", revision !== ""]);
      }),
    ],
  },
  {
    title: "the server's uuid is made once and kept",
    steps: [
      // Later versions' fields (pid, pidns) are filled in ours, which 1.6's clients do not know.
      view(call(Introspection, "server", {}, { namespace: "" }), (outcome) => {
        const { answers } = outcome as unknown as { answers: { uuid: string }[] };
        return answers.map(({ uuid }) => uuid);
      }),
      view(
        {
          title: "two calls",
          run: async (target) => {
            const step = call(Introspection, "server", {}, { namespace: "" });
            return [JSON.stringify(await step.run(target)) === JSON.stringify(await step.run(target))];
          },
        },
        (outcome) => outcome,
      ),
    ],
  },
  {
    title: "health is SERVING for the whole and NOT_FOUND for a stranger",
    steps: [
      call(Health, "check", { service: "" }, { namespace: "" }),
      call(Health, "check", { service: "no.such.Service" }, { namespace: "" }),
      call(Health, "check", { service: " " }, { namespace: "" }),
    ],
  },
  {
    title: "calls that no service answers are UNIMPLEMENTED",
    steps: [
      missingMethod("/containerd.services.version.v1.Version/Nothing"),
      missingMethod("/no.such.Service/Method"),
      missingMethod("/nonsense"),
      missingMethod("/containerd.services.transfer.v1.Transfer/Transfer"),
    ],
  },
  {
    title: "bytes that are no message are refused",
    steps: [
      rawCall("/containerd.services.namespaces.v1.Namespaces/Get", Buffer.from([0x0a, 0xff])),
      rawCall("/containerd.services.namespaces.v1.Namespaces/Get", Buffer.from([0x07])),
    ],
  },
  {
    title: "text that is no UTF-8 is refused",
    steps: [
      rawCall("/containerd.services.namespaces.v1.Namespaces/Get", Buffer.from([0x0a, 1, 0xff])),
      rawCall("/containerd.services.images.v1.Images/Get", Buffer.from([0x0a, 2, 0x61, 0xff])),
      rawCall("/containerd.services.images.v1.Images/List", Buffer.from([0x0a, 7, ...Buffer.from("name=="), 0xff])),
      rawCall("/containerd.services.content.v1.Content/Status", Buffer.from([0x0a, 1, 0xff])),
      rawCall("/containerd.services.leases.v1.Leases/Create", Buffer.from([0x0a, 1, 0xff])),
      rawCall("/containerd.services.leases.v1.Leases/Create", Buffer.from([0x0a, 1, 0xfe])),
      rawCall("/containerd.services.leases.v1.Leases/Delete", Buffer.from([0x0a, 1, 0xff])),
      rawCall("/containerd.services.containers.v1.Containers/Get", Buffer.from([0x0a, 1, 0xc3])),
    ],
  },
]);
