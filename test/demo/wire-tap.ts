import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** What one side said before the other did. */
export interface Turn {
  from: "client" | "server";
  text: string;
}

/** A loopback port that leads to a server and records every byte both ways. */
export class WireTap {
  readonly turns: Turn[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(target: URL) {
    this.#server = createServer((client) => {
      const server = connect(Number(target.port), target.hostname);
      this.#pass("client", client, server);
      this.#pass("server", server, client);
    });
  }

  /** @param target the origin that it leads to */
  static async start(target: string): Promise<WireTap> {
    const tap = new WireTap(new URL(target));
    tap.#server.listen(0, "127.0.0.1");
    await once(tap.#server, "listening");
    return tap;
  }

  /** The origin to use in place of the target's. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #pass(from: Turn["from"], source: Socket, destination: Socket): void {
    this.#sockets.add(source);
    source.on("data", (bytes) => {
      const last = this.turns.at(-1);
      if (last?.from === from) last.text += bytes.toString("latin1");
      else this.turns.push({ from, text: bytes.toString("latin1") });
      destination.write(bytes);
    });
    source.on("end", () => destination.end());
    source.on("error", () => destination.destroy());
  }
}

/** The lines of a turn, marked as curl does. One-time values are shortened: they are long and say nothing. */
export function transcript({ from, text }: Turn): string[] {
  const mark = from === "client" ? ">" : "<";
  return text
    .replace(/\b(nonce|cnonce|response)="([^"]{6})[^"]+"/g, '$1="$2…"')
    .trimEnd()
    .split("\r\n")
    .map((line) => `${mark} ${line}`.trimEnd());
}
