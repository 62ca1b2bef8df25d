import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { transcript, WireTap } from "./wire-tap.ts";

it("records what both sides say, as they say it", async () => {
  const server = createServer((request, response) => {
    response.sendDate = false;
    response.writeHead(request.headers.authorization ? 204 : 401, { Connection: "keep-alive" }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const tap = await WireTap.start(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  await fetch(`${tap.url}/first`);
  await fetch(`${tap.url}/second`, { headers: { authorization: "Digest" } });
  await tap.stop();
  server.close();
  expect(tap.turns.map(({ from, text }) => [from, text.split("\r\n")[0]])).toEqual([
    ["client", "GET /first HTTP/1.1"],
    ["server", "HTTP/1.1 401 Unauthorized"],
    ["client", "GET /second HTTP/1.1"],
    ["server", "HTTP/1.1 204 No Content"],
  ]);
});

it("marks each line with its side and shortens what serves once", () => {
  const text =
    'DELETE /one HTTP/1.1\r\nauthorization: Digest nonce="abcdefghij",cnonce="0123456789",nc=00000001\r\n\r\n';
  expect(transcript({ from: "client", text })).toEqual([
    "> DELETE /one HTTP/1.1",
    '> authorization: Digest nonce="abcdef…",cnonce="012345…",nc=00000001',
  ]);
  expect(transcript({ from: "server", text: "HTTP/1.1 401 Unauthorized\r\n\r\n{}" })).toEqual([
    "< HTTP/1.1 401 Unauthorized",
    "<",
    "< {}",
  ]);
});
