import { once } from "node:events";
import { type ClientHttp2Session, connect, createServer, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { onHostCancellation } from "../../../provider/dynamic/host-cancellation.ts";

const CANCEL = "/pulumirpc.ResourceProvider/Cancel";

afterEach(() => vi.unstubAllGlobals());

describe("in a process with an HTTP/2 server, as the plugin host is", () => {
  let server: Http2Server;
  let session: ClientHttp2Session;

  beforeEach(async () => {
    server = createServer((_request, response) => response.end());
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });

  afterEach(async () => {
    session.close();
    await new Promise((resolve) => server.close(resolve));
  });

  /** Calls a method of the server, and waits for the answer. */
  async function call(path: string): Promise<void> {
    const stream = session.request({ ":method": "POST", ":path": path });
    stream.resume().end();
    await once(stream, "end");
  }

  test("calls back when Pulumi cancels the run", async () => {
    const callback = vi.fn();
    onHostCancellation(callback);
    await call(CANCEL);
    expect(callback).toHaveBeenCalledOnce();
  });

  test.each([
    "/pulumirpc.ResourceProvider/Create",
    "/pulumirpc.ResourceProvider/CancelAll",
    "/pulumirpc.LanguageRuntime/Cancel",
    "/",
  ])("does not call back on %s", async (path) => {
    const callback = vi.fn();
    onHostCancellation(callback);
    await call(path);
    expect(callback).not.toHaveBeenCalled();
  });

  test("does not change the answers of the server", async () => {
    onHostCancellation(() => undefined);
    const stream = session.request({ ":method": "POST", ":path": CANCEL });
    const [headers] = await once(stream.resume().end(), "response");
    expect(headers[":status"]).toBe(200);
  });
});

describe("in a process without an HTTP/2 server", () => {
  test("never calls back", () => {
    const callback = vi.fn();
    expect(() => onHostCancellation(callback)).not.toThrow();
    expect(callback).not.toHaveBeenCalled();
  });

  test("does nothing where Node.js does not list its servers", () => {
    vi.stubGlobal("process", { ...process, _getActiveHandles: undefined });
    expect(() => onHostCancellation(() => undefined)).not.toThrow();
  });
});
