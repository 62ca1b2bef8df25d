import type { EventEmitter } from "node:events";

const CANCEL = "/pulumirpc.ResourceProvider/Cancel";

/**
 * Calls back when Pulumi cancels the run, by Ctrl-C. The host of dynamic providers answers that call itself and tells
 * its providers nothing (cmd/dynamic-provider/index.ts), so that this listens at the HTTP/2 server of the process.
 * Without such a server nothing is ever called back.
 */
export function onHostCancellation(callback: () => void): void {
  const handles = (process as unknown as { _getActiveHandles?(): unknown[] })._getActiveHandles?.() ?? [];
  for (const handle of handles) {
    if ((handle as object).constructor.name !== "Http2Server") continue;
    (handle as EventEmitter).on("stream", (_stream, headers: Record<string, unknown>) => {
      if (headers[":path"] === CANCEL) callback();
    });
  }
}
