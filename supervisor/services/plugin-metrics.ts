import type { PackageView } from "../status.ts";
import type { Exposition } from "./exposition.ts";

/** Adds states and restarts of everything supervised. */
export function addPlugins(exposition: Exposition, packages: readonly PackageView[]): void {
  const state = exposition.family(
    "bulkhead_plugin_state",
    "gauge",
    "1 for the state that a plugin is in; other states are absent.",
  );
  const restarts = exposition.family(
    "bulkhead_package_restarts_total",
    "counter",
    "Starts of a package's process after the first.",
  );
  const since = exposition.family(
    "bulkhead_package_state_since_seconds",
    "gauge",
    "When the package entered its present state, since unix epoch in seconds.",
  );
  const exitCode = exposition.family(
    "bulkhead_package_last_exit_code",
    "gauge",
    "Exit code of the package's last process, -1 when a signal ended it; absent: none has ended.",
  );
  const exitAt = exposition.family(
    "bulkhead_package_last_exit_time_seconds",
    "gauge",
    "When the package's last process ended, since unix epoch in seconds.",
  );
  const nextAttempt = exposition.family(
    "bulkhead_package_next_attempt_seconds",
    "gauge",
    "When the next start is due, since unix epoch in seconds; absent: none is planned.",
  );
  for (const view of packages) {
    for (const { declaration, state: name } of view.plugins) {
      state({ type: declaration.type, id: declaration.id, package: view.name, state: name }, 1);
    }
    restarts({ package: view.name }, view.restarts);
    since({ package: view.name }, view.sinceMs / 1000);
    const { lastExit, nextAttemptMs } = view;
    if (lastExit !== undefined) {
      const labels = { package: view.name, signal: lastExit.signal, oom: String(lastExit.oomKilled) };
      exitCode(labels, lastExit.code);
      exitAt({ package: view.name }, lastExit.atMs / 1000);
    }
    if (nextAttemptMs !== undefined) nextAttempt({ package: view.name }, nextAttemptMs / 1000);
  }
}
