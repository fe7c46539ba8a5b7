import type { Counters, MethodCounter } from "./counters.ts";
import type { Refusal } from "./refusal.ts";
import type { RequestHead } from "./request-head.ts";
import type { PackageRow, RouteTable } from "./route-table.ts";
import type { Target } from "./target.ts";

/** Who calls: anyone on the main socket, or the package whose host socket it is. */
export interface Caller {
  /** Package name; undefined: the main socket. */
  readonly packageName: string | undefined;
  /** Value of `bulkhead-caller`. */
  readonly label: string;
}

/** What is known of a method from its package's row. */
export type MethodPolicy = PackageRow["methods"][string];

/** A request goes to a package. */
export interface Forward {
  readonly type: "forward";
  readonly target: Target;
  readonly policy: MethodPolicy;
  readonly counter: MethodCounter;
}

/** Where a request goes. wait: the boot is not over, the service may yet come. */
export type Decision =
  | Forward
  | { readonly type: "refuse"; readonly refusal: Refusal }
  | { readonly type: "wait"; readonly refusal: Refusal };

const noPolicy: MethodPolicy = {};

/** Decides where `head` goes for `caller`, by `table` alone. */
export function decide(
  table: RouteTable,
  targets: ReadonlyMap<string, Target>,
  counters: Counters,
  caller: Caller,
  head: RequestHead,
): Decision {
  if (head.service === "") {
    return refuse({ kind: "unimplemented", message: `malformed method name: ${JSON.stringify(head.path)}` });
  }
  const found = caller.packageName === undefined ? onMain(table, head) : onHost(table, caller.packageName, head);
  if (typeof found !== "string") return found;
  const target = targets.get(found);
  return target === undefined ? notKnown(found, head.service) : forwardTo(target, counters, head);
}

/** The way to `target` for `head`. */
export function forwardTo(target: Target, counters: Counters, head: RequestHead): Forward {
  const policy = own(target.row.methods, head.path) ?? noPolicy;
  return { type: "forward", target, policy, counter: counters.of(target.name, head.path) };
}

function notKnown(packageName: string, service: string): Decision {
  const metadata = { package: packageName, state: "unknown", handed_over: "false" };
  return refuse({
    kind: "unavailable",
    message: `package ${packageName}, which serves ${service}, is not known here`,
    info: { reason: "PACKAGE_DOWN", metadata },
  });
}

function onMain(table: RouteTable, head: RequestHead): string | Decision {
  const routed = own(table.routes, head.path) ?? own(table.routes, head.service);
  if (routed === undefined) return unknownService(table, head.service);
  if (head.plugin === "" || head.plugin === routed) return routed;
  const choices = { ...own(table.choices, head.service), ...own(table.choices, head.path) };
  return own(choices, head.plugin) ?? noSuchChoice(head, [routed, ...Object.keys(choices)]);
}

function onHost(table: RouteTable, callerName: string, head: RequestHead): string | Decision {
  const row = own(table.packages, callerName);
  const route = row === undefined ? undefined : own(row.calls, head.service);
  if (route !== undefined) {
    if (head.plugin === "" || head.plugin === route.package) return route.package;
    return own(route.choices, head.plugin) ?? noSuchChoice(head, [route.package, ...Object.keys(route.choices)]);
  }
  const host = own(table.hostServices, head.service);
  if (host !== undefined) return host;
  const refusal = forbidden(table, callerName, head.service);
  return row === undefined && table.booting ? { type: "wait", refusal } : refuse(refusal);
}

function unknownService(table: RouteTable, service: string): Decision {
  const refusal: Refusal = { kind: "unimplemented", message: `unknown service ${service}` };
  return table.booting ? { type: "wait", refusal } : refuse(refusal);
}

function noSuchChoice(head: RequestHead, choices: readonly string[]): Decision {
  const named = [...new Set(choices)].sort().join(", ");
  return refuse({
    kind: "not-found",
    message: `no plugin ${JSON.stringify(head.plugin)} serves ${head.service}: bulkhead-plugin may be one of ${named}`,
  });
}

function forbidden(table: RouteTable, callerName: string, service: string): Refusal {
  const ids = Object.keys(own(table.choices, service) ?? {}).filter((choice) => choice.includes("."));
  const serving = Object.entries(table.packages).filter(([, row]) => row.serves.includes(service));
  const packages = serving.map(([name]) => name).join(", ");
  const line =
    ids.length > 0 ? ids.join(" or ") : packages === "" ? "a plugin that serves it" : `the plugin of ${packages}`;
  return {
    kind: "permission-denied",
    message: `package ${callerName} may not call ${service}: its plugin.yaml lacks "calls: [${line}]" (or requires, or wants)`,
    info: { reason: "CALL_NOT_DECLARED", metadata: { package: callerName, service } },
  };
}

function refuse(refusal: Refusal): Decision {
  return { type: "refuse", refusal };
}

/** Names come from callers: what objects inherit is no route. */
function own<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
