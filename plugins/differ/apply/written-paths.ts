/** What a layer has written so far, by resolved path: an opaque mark that comes late must spare it. */
export class WrittenPaths {
  readonly #byFolder = new Map<string, Set<string>>();

  /** With the folders above it, which hold it. */
  add(folder: string, base: string): void {
    for (let [above, name] = [folder, base]; ; ) {
      let names = this.#byFolder.get(above);
      if (names === undefined) this.#byFolder.set(above, (names = new Set()));
      if (names.has(name)) return;
      names.add(name);
      if (above === "") return;
      const slash = above.lastIndexOf("/");
      [above, name] = [slash < 0 ? "" : above.slice(0, slash), above.slice(slash + 1)];
    }
  }

  has(folder: string, name: string): boolean {
    return this.#byFolder.get(folder)?.has(name) ?? false;
  }
}
