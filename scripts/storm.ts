/** `npm run storm`: kills parts of a real daemon again and again under load and says what callers saw of it. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { keepsBound, tableOf, type Row } from "./bench/report.ts";
import { makePacked } from "./bench/packed.ts";
import { preparePeers } from "./peers.ts";
import { cacheFolder } from "./peers/folders.ts";
import { controlStorm } from "./storm/control.ts";
import { holderStorm } from "./storm/holder.ts";
import { packageStorm } from "./storm/package.ts";
import { routerStorm } from "./storm/router.ts";

const storms: Readonly<Record<string, (kills: number, command: string) => Promise<readonly Row[]>>> = {
  package: packageStorm,
  control: controlStorm,
  router: routerStorm,
  holder: holderStorm,
};
/** Kills that the project holds its figures against. */
const kills: Readonly<Record<string, number>> = { package: 10_000, control: 1000, router: 200, holder: 100 };

await new Command("npm run storm --")
  .description(
    "Kills a part of a real daemon, as people install it, again and again under 1,000 calls a second on 8 connections.",
  )
  .argument("[victim]", `${Object.keys(storms).join(", ")} or all`, "all")
  .option("--kills <n>", "how often, instead of the usual number", (text) => {
    const count = Number(text);
    if (!Number.isSafeInteger(count) || count < 1) throw new InvalidArgumentError("a whole number from 1 on");
    return count;
  })
  .addHelpText(
    "after",
    "\nExit code 1: a bound was missed. The figures are also written to .cache/storm/<victim>.json.\n",
  )
  .addHelpText("after", "Examples:\n  npm run storm -- package --kills 1000\n  npm run storm -- all")
  .action(run)
  .parseAsync();

async function run(victim: string, options: { readonly kills?: number }): Promise<void> {
  const names = victim === "all" ? Object.keys(storms) : [victim];
  const unknown = names.find((name) => !(name in storms));
  if (unknown !== undefined) {
    console.error(`storm: "${unknown}" is no victim; take one of ${Object.keys(storms).join(", ")}, or all`);
    process.exitCode = 64;
    return;
  }
  const peers = await preparePeers((text) => console.error(text));
  if (peers["go-echo"] !== null) {
    console.error(`storm: the echo package is absent: ${peers["go-echo"]}`);
    process.exitCode = 1;
    return;
  }
  await using packed = await makePacked();
  for (const name of names) await one(name, options.kills ?? kills[name] ?? 1, packed.command);
}

async function one(name: string, count: number, command: string): Promise<void> {
  const rows = (await storms[name]?.(count, command)) ?? [];
  console.log(tableOf(rows).join("\n"));
  const folder = join(cacheFolder, "storm");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${name}.json`), `${JSON.stringify({ kills: count, rows }, null, 2)}\n`);
  if (rows.some((each) => keepsBound(each) === false)) process.exitCode = 1;
}
