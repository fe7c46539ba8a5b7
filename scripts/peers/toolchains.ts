import { execa } from "execa";

/** Why a compiler is missing or too old, else undefined. */
export async function checkGo(): Promise<string | undefined> {
  const text = await outputOf("go", ["env", "GOVERSION"]);
  if (text === undefined) return "Go 1.22 or newer is not installed";
  const [major = 0, minor = 0] = text.replace(/^go/, "").split(".").map(Number);
  return major > 1 || minor >= 22 ? undefined : `Go 1.22 or newer is needed, this machine has ${text}`;
}

/** Why Python 3 with its venv module is missing, else undefined. */
export async function checkPython(): Promise<string | undefined> {
  const text = await outputOf("python3", ["-c", "import ensurepip, venv, sys; print(sys.version_info[1])"]);
  if (text === undefined) return "Python 3 with pip and venv is not installed";
  return Number(text) >= 9 ? undefined : `Python 3.9 or newer is needed, this machine has 3.${text}`;
}

/** Why cargo is missing, else undefined. */
export async function checkCargo(): Promise<string | undefined> {
  return (await outputOf("cargo", ["--version"])) === undefined ? "cargo (Rust) is not installed" : undefined;
}

async function outputOf(command: string, args: readonly string[]): Promise<string | undefined> {
  try {
    const { stdout } = await execa(command, args, { timeout: 30_000 });
    return stdout.trim();
  } catch {
    return undefined;
  }
}
