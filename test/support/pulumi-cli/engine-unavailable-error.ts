/** No engine can be had on this machine; the message is one line that says why and what to install. */
export class EngineUnavailableError extends Error {
  override readonly name = "EngineUnavailableError";
}
