/** Run by the crash tests: 16 writers, each write two records, its number printed once it is acknowledged. */
import { openDatabase } from "../../../plugins/metadata/database/open.ts";
import { tables } from "../../../plugins/metadata/database/tables.ts";

const [, , folder = "", prefix = ""] = process.argv;
const database = await openDatabase(folder, { maxBytes: 2 ** 30, publish: () => Promise.resolve() });

async function writer(index: number): Promise<void> {
  for (let turn = 0; ; turn++) {
    const name = `${prefix}${index}.${turn}`;
    await database.write((tx) => {
      tx.put(tables.namespace, [name], { name });
      tx.put(tables.image, [name, "twin"], { name: "twin" });
    });
    process.stdout.write(`acknowledged ${name}\n`);
  }
}

await Promise.all(Array.from({ length: 16 }, (_, index) => writer(index)));
