import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { notifySystemd } from "#linux";

const python = spawnSync("python3", ["-V"]).status === 0 ? false : "needs python3 for a datagram socket";
const receiver = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1].replace("@", "\\0", 1))
print("bound", flush=True)
print(s.recv(100).decode(), flush=True)
`;

async function receive(address: string): Promise<string> {
  const child = spawn("python3", ["-c", receiver, address], { stdio: ["ignore", "pipe", "inherit"] });
  const exit = once(child, "exit");
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    if (output === "bound\n") assert.ok(notifySystemd(address, "READY=1"));
  });
  await exit;
  return output;
}

test("READY=1 reaches a notify socket, by path and by abstract name", { skip: python, timeout: 20_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "bulkhead-linux-"));
  assert.equal(await receive(join(folder, "notify")), "bound\nREADY=1\n");
  assert.equal(await receive(`@bulkhead-test-${process.pid}`), "bound\nREADY=1\n");
  rmSync(folder, { recursive: true });
});

test("without a notify socket nothing is sent, and a dead one is an error", () => {
  assert.equal(notifySystemd(undefined, "READY=1"), false);
  assert.equal(notifySystemd("", "READY=1"), false);
  assert.throws(() => notifySystemd("/nonexistent/notify", "READY=1"), { code: "ENOENT", syscall: "sendto" });
});
