import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import {
  type HttpRequest,
  Transport,
  type TransportOptions,
} from "../../../../provider/atlas/client/transport.ts";
import { SimulatedAtlas } from "../../../support/simulated-atlas/simulated-atlas.ts";
import { rejection } from "./client-fixture.ts";

export const target = "/api/atlas/v1.0/orgs/32b6e34b3d91647abb20e7b8/invites?pretty=true";

/** A request that Atlas answers with a challenge. */
export const get: HttpRequest = { method: "GET", target, headers: { accept: "application/json" } };

/** A simulated Atlas, and a transport to it. */
export async function transportFixture(options: Partial<TransportOptions> = {}) {
  const atlas = await SimulatedAtlas.start();
  return {
    atlas,
    transport: new Transport({ baseUrl: atlas.url, ...options }),
    [Symbol.asyncDispose]: () => atlas.stop(),
  };
}

/** Lets a server listen on a free port, and closes it with its connections in the end. */
export async function listening(server: Server) {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A server that accepts connections and never writes. */
export const silentServer = () => listening(createServer());

/** An address at which nothing listens. */
export async function unusedHost(): Promise<string> {
  await using server = await silentServer();
  return server.host;
}

/** The error of a request to this origin. */
export const failureAt = (baseUrl: string, options: Partial<TransportOptions> = {}) =>
  rejection(new Transport({ baseUrl, ...options }).send(get));
