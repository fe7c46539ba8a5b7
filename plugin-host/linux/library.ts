import { createRequire } from "node:module";
import { LinuxError } from "./error.ts";

type Koffi = typeof import("koffi");
type NativeCall = (...args: readonly unknown[]) => number | bigint;

/** Calls again while the kernel says that a signal came between. */
const interrupted = 4;

let koffi: Koffi | undefined;
let libc: import("koffi").LibraryHandle | undefined;
const functions = new Map<string, NativeCall>();

/** koffi itself, loaded at first use (5 ms, 1.6 MB) so that importing `#linux` costs nothing. */
export function loadKoffi(): Koffi {
  koffi ??= createRequire(import.meta.url)("koffi") as Koffi;
  return koffi;
}

/**
 * The C function of that prototype, declared at first use. Variadic ones are declared with the fixed arguments
 * used: for integers and pointers x86-64 and AArch64 pass both alike.
 */
function nativeFunction(prototype: string): NativeCall {
  const known = functions.get(prototype);
  if (known !== undefined) return known;
  libc ??= loadKoffi().load(null);
  const declared = libc.func(prototype) as NativeCall;
  functions.set(prototype, declared);
  return declared;
}

/** What a call is called in an error, and what it is about. */
export interface CallSubject {
  readonly syscall: string;
  readonly path?: string | undefined;
}

/**
 * Calls a C function that answers -1 for failure; repeated while a signal interrupts it.
 * @throws LinuxError with the errno.
 */
export function callLibc(subject: CallSubject, prototype: string, ...args: readonly unknown[]): number {
  const native = nativeFunction(prototype);
  for (;;) {
    const result = Number(native(...args));
    if (result !== -1) return result;
    const errno = loadKoffi().errno();
    if (errno !== interrupted) throw new LinuxError({ errno, ...subject });
  }
}
