import { afterEach, expect, test, vi } from "vitest";
import { onHostCancellation } from "../../../provider/dynamic/host-cancellation.ts";
import { CANCEL, callHost } from "./provider-fixture.ts";

afterEach(() => vi.unstubAllGlobals());

test.each([
  [CANCEL, 1],
  ["/pulumirpc.ResourceProvider/Create", 0],
  ["/pulumirpc.ResourceProvider/CancelAll", 0],
  ["/pulumirpc.LanguageRuntime/Cancel", 0],
])("a call of %s is answered, and is a cancellation %i times", async (path, cancellations) => {
  const callback = vi.fn();
  expect(await callHost(path, () => onHostCancellation(callback))).toBe(200);
  expect(callback).toHaveBeenCalledTimes(cancellations);
});

test("without an HTTP/2 server, or where Node.js does not list its servers, nothing is called back", () => {
  const callback = vi.fn();
  onHostCancellation(callback);
  vi.stubGlobal("process", { ...process, _getActiveHandles: undefined });
  onHostCancellation(callback);
  expect(callback).not.toHaveBeenCalled();
});
