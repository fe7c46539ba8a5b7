"use strict";
// Installs what is missing, before `npm start` and `npm test`. Runs on whatever Node the machine has, so it is
// written in Node 18's language and uses no dependency. Silent when there is nothing to do.
const { spawnSync } = require("node:child_process");
const { createHash } = require("node:crypto");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");

const project = path.resolve(__dirname, "..");
const stampFile = path.join(project, "node_modules", ".bulkhead-lock-hash");
const oldestThatInstallsAll = 20;

main();

function main() {
  const wanted = lockHash();
  if (readStamp() !== wanted) {
    install();
    fs.writeFileSync(stampFile, wanted);
  }
  warmCompileCache();
}

function lockHash() {
  const lock = fs.readFileSync(path.join(project, "package-lock.json"));
  return createHash("sha256").update(lock).digest("hex");
}

function readStamp() {
  try {
    return fs.readFileSync(stampFile, "utf8");
  } catch {
    return "";
  }
}

function install() {
  console.error("setup: installing dependencies into node_modules (npm ci)");
  npmCi(process.execPath);
  // npm judges packages by the Node that runs it: under an old one it drops native parts of the tools.
  if (Number(process.versions.node.split(".")[0]) >= oldestThatInstallsAll) return;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "bulkhead-setup-"));
  try {
    // A copy, since the install replaces the folder that this Node stands in.
    const node = path.join(folder, "node");
    fs.copyFileSync(path.join(project, "node_modules", ".bin", "node"), node);
    fs.chmodSync(node, 0o755);
    npmCi(node);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

function npmCi(node) {
  const npm = npmModule();
  const words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const [command, args] = npm === undefined ? ["npm", words] : [node, [npm].concat(words)];
  // npm prints what it did on stdout, which belongs to the command that follows.
  const result = spawnSync(command, args, { cwd: project, stdio: ["ignore", 2, 2], env: environmentFor(node) });
  if (result.error) fail(`npm could not be started: ${result.error.message}`);
  if (result.status !== 0)
    fail(`npm ci failed (${result.signal || `exit ${result.status}`}); its messages stand above`);
}

// The npm that runs us says where it is; called by hand, the one beside this Node.
function npmModule() {
  const candidates = [
    process.env.npm_execpath,
    path.resolve(path.dirname(fs.realpathSync(process.execPath)), "../lib/node_modules/npm/bin/npm-cli.js"),
    "/usr/share/nodejs/npm/bin/npm-cli.js",
  ];
  return candidates.find((file) => file !== undefined && file.endsWith("npm-cli.js") && fs.existsSync(file));
}

// `npm_config_*` of an outer npm (dry-run, workspaces, omit …) must not change what is installed here.
function environmentFor(node) {
  const env = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (!/^npm_(config_(global|prefix|omit|dry_run|production|only|include)|package|lifecycle)/i.test(name))
      env[name] = value;
  }
  env.PATH = `${path.dirname(node)}${path.delimiter}${process.env.PATH || ""}`;
  delete env.NODE_ENV;
  return env;
}

// Start-up is compiled code read from a cache; its first boot would otherwise be the slow one that a person sees.
function warmCompileCache() {
  const mark = path.join(project, "node_modules", ".bulkhead-warm");
  const warm = path.join(project, "scripts", "warm.ts");
  if (fs.existsSync(mark) || !fs.existsSync(warm)) return;
  fs.writeFileSync(mark, "");
  const node = path.join(project, "node_modules", ".bin", "node");
  // A failure here only costs speed, and the command that follows will show what is wrong.
  spawnSync(node, [warm], { cwd: project, stdio: "ignore", timeout: 30_000, killSignal: "SIGKILL" });
}

function fail(text) {
  console.error(`setup: ${text}`);
  process.exit(1);
}
