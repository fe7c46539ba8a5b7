import type { Config } from "./config.ts";
import type { FileConfig } from "./config-file.ts";
import { socketAddressLimitBytes } from "./config-resolve.ts";
import type { ConfigProblem } from "./problem.ts";
import { ProblemList } from "./problem-list.ts";
import { type KeyPath, wholeFile } from "./source.ts";
import { statePathLimitBytes } from "./socket-folders.ts";

type ReadFile = { readonly config: FileConfig; readonly problems: ProblemList };

/** What can be said only of the whole: names by version, root against state, lengths of socket paths. */
export function checkConfig(config: Config, files: readonly ReadFile[]): readonly ConfigProblem[] {
  const found: ConfigProblem[] = [];
  if (config.version === 2) for (const file of files) checkUris(file, found);
  const report = (path: KeyPath, message: string, hint: string): void =>
    blame(files, path, found).error(path, message, hint);
  checkFolders(config, report);
  checkSocketPaths(config, report);
  if (config.version === 1 && files[0]?.problems.hasErrors !== true) {
    const message = "containerd config version `1` names plugins by bare id";
    blame(files, [], found).warn(
      ["version"],
      message,
      'write "version = 2" and full names, like io.containerd.gc.v1.scheduler',
    );
  }
  return found;
}

type Report = (path: KeyPath, message: string, hint: string) => void;

/** containerd's texts for names that are no URI in version 2. */
function checkUris({ config, problems }: ReadFile, found: ConfigProblem[]): void {
  const list = new ProblemList(problems.source, found);
  const check = (names: Iterable<string>, what: string, pathOf: (name: string, index: number) => KeyPath): void => {
    for (const [index, name] of [...names].entries())
      if (name.split(".").length < 4)
        list.error(
          pathOf(name, index),
          `invalid ${what} "${name}" expect io.containerd.x.vx`,
          "write the plugin's type.id",
        );
  };
  check(config.lists.disabledPlugins, "disabled plugin URI", (_, index) => ["disabled_plugins", String(index)]);
  check(config.lists.requiredPlugins, "required plugin URI", (_, index) => ["required_plugins", String(index)]);
  check(config.maps.plugins.keys(), "plugin key URI", (name) => ["plugins", name]);
}

/** containerd's texts. Both are absolute by now, so that two spellings of one folder are found equal. */
function checkFolders({ root, state }: Config, report: Report): void {
  if (root === "") report(["root"], "root must be specified", "");
  if (state === "") report(["state"], "state must be specified", "");
  if (root === state) report(["state"], "root and state must be different paths", "change one of them");
}

function checkSocketPaths({ state, grpc, ttrpc, debug }: Config, report: Report): void {
  const stateBytes = Buffer.byteLength(state);
  if (stateBytes > statePathLimitBytes)
    report(
      ["state"],
      `${state} has ${stateBytes} bytes, too many for the sockets in it (${statePathLimitBytes})`,
      "choose a shorter state folder, or pass --state",
    );
  for (const [key, address] of Object.entries({ grpc: grpc.address, ttrpc: ttrpc.address, debug: debug.address })) {
    // Said once: a state or main address that is too long makes others too long.
    const isFollower = key === "ttrpc" && address === `${grpc.address}.ttrpc`;
    const isBelowState = address.startsWith(`${state}/`) && stateBytes > statePathLimitBytes;
    if (Buffer.byteLength(address) > socketAddressLimitBytes && !isFollower && !isBelowState)
      report(
        [key, "address"],
        `"${address}": unix socket path too long (> ${socketAddressLimitBytes})`,
        key === "grpc" ? "choose a shorter address, or pass --address" : "choose a shorter address",
      );
  }
}

/** The file that a problem of the whole is shown in: the last one that has the key, else the first. */
function blame(files: readonly ReadFile[], path: KeyPath, found: ConfigProblem[]): ProblemList {
  const source =
    files.findLast(({ problems }) => problems.source.locate(path).line > 0)?.problems.source ??
    files[0]?.problems.source;
  return new ProblemList(source ?? { file: "", format: "yaml", value: {}, locate: () => wholeFile }, found);
}
