import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { JsonLines } from "./json-lines.ts";
import type { ControlToRouter, RouterToControl, TakeOver } from "./route-table.ts";

/** What control asks of the router. */
export interface ControlLinkOwner {
  /** First line to a control that has connected. */
  hello(): RouterToControl;
  onMessage(message: ControlToRouter, answer: (message: RouterToControl) => void): void;
  /** A new holder is at the other end of `socket`. */
  onTakeOver(socket: Socket): void;
}

/**
 * `<state>/router.sock`: where control connects, and a new holder. Who last sent something as control is control.
 * Owns: the socket file.
 */
export class ControlLink {
  readonly #server: Server;
  readonly #owner: ControlLinkOwner;
  #control: { socket: Socket; lines: JsonLines<ControlToRouter | TakeOver, RouterToControl> } | undefined;

  constructor(owner: ControlLinkOwner) {
    this.#owner = owner;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** Binds the socket, replacing one that a dead router left; `listening` is called once control may connect. */
  listen(stateFolder: string, listening: () => void): void {
    const path = join(stateFolder, "router.sock");
    rmSync(path, { force: true });
    const umask = process.umask(0o177);
    this.#server.listen(path, () => {
      chmodSync(path, 0o600);
      listening();
    });
    process.umask(umask);
  }

  /** Tells control, if it is there. */
  send(message: RouterToControl): void {
    this.#control?.lines.send(message);
  }

  close(): void {
    this.#server.close();
    this.#control?.socket.destroy();
  }

  #accept(socket: Socket): void {
    const lines = new JsonLines<ControlToRouter | TakeOver, RouterToControl>(socket, (message) => {
      if (message.type === "take-over") return this.#owner.onTakeOver(socket);
      this.#become(socket, lines);
      this.#owner.onMessage(message, (answer) => lines.send(answer));
    });
    // Control went away: the router serves on with its last table.
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      if (this.#control?.socket === socket) this.#control = undefined;
    });
    lines.send(this.#owner.hello());
  }

  #become(socket: Socket, lines: JsonLines<ControlToRouter | TakeOver, RouterToControl>): void {
    if (this.#control?.socket === socket) return;
    this.#control?.socket.destroy();
    this.#control = { socket, lines };
  }
}
