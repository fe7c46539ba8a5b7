import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { withRootfs } from "./task-steps.ts";

/**
 * A logger as `binary://` names one: its arguments are the query's, it says by closing 5 that it is ready, and copies
 * both outputs, with whose they are, to the file that its query names.
 */
const script = `#!/bin/sh
while [ $# -gt 0 ]; do [ "$1" = file ] && file=$2; shift; done
echo "ready" >> "$file"
exec 5>&-
cat <&3 | while read -r line; do echo "out $line" >> "$file"; done &
cat <&4 | while read -r line; do echo "err $line" >> "$file"; done
wait
`;

/** Makes the case's root, and `logger`. */
export async function withLogger(files: string): Promise<void> {
  await withRootfs(files);
  await writeFile(join(files, "logger"), script);
  await chmod(join(files, "logger"), 0o755);
}
