import { Plugin } from "#proto/gen/bulkhead/plugin/v1/plugin_pb.ts";
import { isHostError } from "#proto/wire/errors.ts";
import { clientOf } from "#rpc";
import type { PackageView, Supervision } from "../status.ts";
import type { Exposition } from "./exposition.ts";
import { isServing } from "./health-states.ts";
import type { PackageChannels } from "./package-channels.ts";

/** How long a scrape waits for all packages together. */
const gatherTimeMs = 1000;
/** Bytes of one package's text; a longer one is left out. */
const textLimitBytes = 4 * 1024 * 1024;

/**
 * Text that native packages hand over at a scrape. One that does not answer in time is shown as it was last.
 * Owns: the last text of each package.
 */
export class PackageMetrics {
  readonly #supervision: Supervision;
  readonly #channels: PackageChannels;
  readonly #last = new Map<string, string>();

  constructor(supervision: Supervision, channels: PackageChannels) {
    this.#supervision = supervision;
    this.#channels = channels;
  }

  /** Adds every package's text, and which of them is stale. Takes at most 1 s. */
  async add(exposition: Exposition): Promise<void> {
    const asked = this.#supervision.packages().filter((view) => view.tier === "native" && isServing(view.state));
    const answers = await Promise.all(asked.map(async (view) => ({ view, text: await this.#ask(view) })));
    const stale = exposition.family(
      "bulkhead_package_metrics_stale",
      "gauge",
      "1: the package gave no metrics in time, its last ones are shown.",
    );
    for (const { view, text } of answers) {
      stale({ package: view.name }, text === undefined ? 1 : 0);
      if (text !== undefined) this.#last.set(view.name, text);
      exposition.merge(text ?? this.#last.get(view.name) ?? "");
    }
  }

  async #ask(view: PackageView): Promise<string | undefined> {
    try {
      const client = clientOf(Plugin, this.#channels.to(view));
      const { text } = await client.metrics({}, { deadlineMs: Date.now() + gatherTimeMs });
      return text.length > textLimitBytes ? undefined : Buffer.from(text).toString("utf8");
    } catch (error) {
      if (isHostError(error, "unimplemented")) return "";
      return undefined; // away or slow: the scrape goes on, `stale` says so
    }
  }
}
