import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** What one side sends before the other side answers. */
export interface WireMessage {
  from: "client" | "server";
  text: string;
}

/** A loopback port that forwards to a server and records all bytes in both directions. */
export class WireTap {
  readonly messages: WireMessage[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(target: URL) {
    this.#server = createServer((client) => {
      const server = connect(Number(target.port), target.hostname);
      this.#forward("client", client, server);
      this.#forward("server", server, client);
    });
  }

  /** @param target the origin of the server */
  static async start(target: string): Promise<WireTap> {
    const tap = new WireTap(new URL(target));
    tap.#server.listen(0, "127.0.0.1");
    await once(tap.#server, "listening");
    return tap;
  }

  /** The origin to use instead of the server's. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #forward(from: WireMessage["from"], source: Socket, destination: Socket): void {
    this.#sockets.add(source);
    source.on("data", (bytes) => {
      const last = this.messages.at(-1);
      if (last?.from === from) last.text += bytes.toString("latin1");
      else this.messages.push({ from, text: bytes.toString("latin1") });
      destination.write(bytes);
    });
    source.on("end", () => destination.end());
    source.on("error", () => destination.destroy());
  }
}

/** The lines of a message, marked `>` or `<` as curl does, with one-time values shortened. */
export function transcript({ from, text }: WireMessage): string[] {
  const mark = from === "client" ? ">" : "<";
  return text
    .replace(/\b(nonce|cnonce|response)="([^"]{6})[^"]+"/g, '$1="$2…"')
    .trimEnd()
    .split("\r\n")
    .map((line) => `${mark} ${line}`.trimEnd());
}
