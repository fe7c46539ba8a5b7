/**
 * A client in a process of its own that does what its standard input says, a line each: the number of an attack,
 * "behave" or "rest". It answers each, numbered from 1, once all its connections have sent something.
 * `attacker.ts SOCKET`.
 */
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { flags, frameTypes } from "#proto/http2/constants.ts";
import { attacks, bytesOf, ordinaryCall, ordinaryOpening, wellBehaved, type Attack } from "./attacks.ts";
import { RawPeer } from "./raw-peer.ts";

const callsAtOnce = 2000;
const path = process.argv[2] ?? "";
let commands = 0;
let doing: { readonly attack: Attack; readonly reply: string; begun: number } | undefined;
const sockets = new Set<Socket>();

/** Goes on until `doing` is another. */
function open(mine: NonNullable<typeof doing>): void {
  const socket = connect(path);
  sockets.add(socket);
  socket.on("error", () => {});
  socket.once("connect", () => {
    if (mine.attack === wellBehaved) behave(socket);
    else abuse(socket, mine.attack, () => doing === mine);
    if (++mine.begun === mine.attack.connections) process.stdout.write(mine.reply);
  });
  socket.once("close", () => {
    sockets.delete(socket);
    if (doing !== mine) return;
    open(mine);
  });
}

function abuse(socket: Socket, { opening, first, again, reads }: Attack, goesOn: () => boolean): void {
  if (reads) socket.resume();
  socket.write(opening ?? ordinaryOpening());
  if (first !== undefined) socket.write(bytesOf(first));
  if (again === undefined) return;
  let round = 0;
  const next = (): void => {
    if (!goesOn() || socket.destroyed) return;
    const bytes = bytesOf((writer) => again(writer, round++));
    // A turn of its own each, so that the line that ends it is read.
    if (socket.write(bytes)) setImmediate(next);
    else socket.once("drain", () => setImmediate(next));
  };
  next();
}

function behave(socket: Socket): void {
  const peer = new RawPeer(socket, 0);
  let id = 1 - 2;
  const call = (): void => peer.raw(ordinaryCall((id += 2)));
  peer.raw(ordinaryOpening());
  peer.onFrame = (frame) => {
    if (frame.type === frameTypes.headers && (frame.flags & flags.endStream) !== 0) call();
  };
  for (let calls = 0; calls < callsAtOnce; calls++) call();
}

for await (const word of createInterface({ input: process.stdin })) {
  doing = undefined;
  for (const socket of sockets) socket.destroy();
  const reply = `${++commands}: done\n`;
  const attack = word === "behave" ? wellBehaved : attacks[Number(word)];
  if (word === "rest" || attack === undefined) {
    process.stdout.write(reply);
    continue;
  }
  const mine = { attack, reply, begun: 0 };
  doing = mine;
  for (let connection = 0; connection < attack.connections; connection++) open(mine);
}
for (const socket of sockets) socket.destroy();
