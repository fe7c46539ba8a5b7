import { hash } from "node:crypto";
import { LocalStore, type StoreOptions } from "../../../plugins/content/local-store.ts";
import { makeTempFolder, type TempFolder } from "../../harness/temp-folder.ts";

/** A store on a folder of its own. Owns: the folder. */
export interface TestStore extends AsyncDisposable {
  readonly folder: TempFolder;
  readonly store: LocalStore;
}

export async function openStore(options?: StoreOptions): Promise<TestStore> {
  const folder = await makeTempFolder("content");
  const store = await LocalStore.open(folder.path, options);
  return { folder, store, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

/** Puts a blob into the store and gives its digest. */
export async function putBlob(store: LocalStore, bytes: Uint8Array, ref = "put"): Promise<string> {
  await using writer = await store.openWriter(ref, 0n, never);
  await writer.write(bytes);
  const { digest } = await store.commit(writer, { size: 0n, expected: "" });
  return digest;
}

export function digestOf(bytes: string | Uint8Array): string {
  return `sha256:${hash("sha256", bytes)}`;
}

/** A signal that never aborts. */
export const never = new AbortController().signal;
