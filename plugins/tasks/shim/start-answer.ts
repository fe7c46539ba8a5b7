import { HostError } from "bulkhead/plugin";

/** Where a shim listens, and which form of its API it speaks. */
export interface ShimAddress {
  /** `unix:///path`, or an abstract name. */
  readonly address: string;
  /** 2: containerd.task.v2, 3: the same methods in containerd.task.v3. */
  readonly version: 2 | 3;
}

/** Bytes in the address of a unix socket, and its scheme. */
const addressLimit = 107 + "unix://".length;
/** Text of an answer that is shown when it makes no sense, at most. */
const shownBytes = 200;

/**
 * What a shim's `start` printed: an address, or since containerd 1.7 a JSON object. Throws unknown when it is neither,
 * unimplemented for a version or protocol of later times.
 */
export function parseStartAnswer(output: Buffer): ShimAddress {
  const text = output.toString().trim();
  const answer = text.startsWith("{") ? parseBootstrap(text) : { address: text, version: 2 as const };
  const { address } = answer;
  // What a path or a name in a socket's address can hold; anything else is chatter.
  if (address === "" || address.length > addressLimit || address.includes("\n")) {
    throw new HostError("unknown", `the shim printed no address: ${JSON.stringify(text.slice(0, shownBytes))}`);
  }
  if (!address.startsWith("unix://") && /^[a-z0-9]+:\/\//.test(address)) {
    throw new HostError(
      "unimplemented",
      `the shim's address ${address} is of a kind that is not offered: not implemented`,
    );
  }
  return answer;
}

/** The content of bootstrap.json, which containerd writes since 1.7. Throws as `parseStartAnswer`. */
export function parseBootstrap(text: string): ShimAddress {
  let parsed: { readonly version?: unknown; readonly address?: unknown; readonly protocol?: unknown };
  try {
    parsed = JSON.parse(text) as typeof parsed;
  } catch (cause) {
    throw new HostError("unknown", `the shim printed no address: ${JSON.stringify(text.slice(0, shownBytes))}`, {
      cause,
    });
  }
  const { version, address, protocol = "ttrpc" } = parsed;
  if ((version !== 2 && version !== 3) || protocol !== "ttrpc") {
    const text = `shim version ${JSON.stringify(version)} over ${JSON.stringify(protocol)} is not offered: not implemented`;
    throw new HostError("unimplemented", text);
  }
  return { address: typeof address === "string" ? address : "", version };
}
