import type { ShimTask } from "./shim-task.ts";

/** The tasks of this host by namespace and id. */
export class TaskTable {
  readonly #namespaces = new Map<string, Map<string, ShimTask>>();

  add(task: ShimTask): void {
    const known = this.#namespaces.get(task.namespace);
    if (known === undefined) this.#namespaces.set(task.namespace, new Map([[task.id, task]]));
    else known.set(task.id, task);
  }

  find(namespace: string, id: string): ShimTask | undefined {
    return this.#namespaces.get(namespace)?.get(id);
  }

  has(task: ShimTask): boolean {
    return this.find(task.namespace, task.id) === task;
  }

  /** Forgets exactly this one; another of the same name stays. */
  remove(task: ShimTask): void {
    const known = this.#namespaces.get(task.namespace);
    if (known?.get(task.id) !== task) return;
    known.delete(task.id);
    if (known.size === 0) this.#namespaces.delete(task.namespace);
  }

  /** In the order they were made. */
  in(namespace: string): readonly ShimTask[] {
    return [...(this.#namespaces.get(namespace)?.values() ?? [])];
  }

  /** Of all namespaces. */
  all(): readonly ShimTask[] {
    return [...this.#namespaces.values()].flatMap((tasks) => [...tasks.values()]);
  }
}
