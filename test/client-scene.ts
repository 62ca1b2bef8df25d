import { AtlasClient, type AtlasClientOptions } from "../provider/atlas-client.ts";
import { DigestAuth } from "../provider/auth.ts";
import { systemClock } from "../provider/clock.ts";
import { Limits } from "../provider/limits.ts";
import { Transport, type TransportOptions } from "../provider/transport.ts";
import { SimulatedAtlas, type SimulatedAtlasOptions } from "./atlas/simulated-atlas.ts";

/** Where the key of a scene's client was read, as its errors say. */
export const source = "the environment (MONGODB_ATLAS_PUBLIC_KEY and MONGODB_ATLAS_PRIVATE_KEY)";

/** A simulated Atlas with one organization, an owner's key, and a client that uses the key. */
export async function clientScene(options?: SimulatedAtlasOptions) {
  const atlas = await SimulatedAtlas.start(options);
  const organization = atlas.addOrganization({ name: "Example" });
  const key = atlas.addApiKey({ organization });
  const notices: string[] = [];
  const notify = (line: string) => notices.push(line);
  // Waits are over at once.
  const impatient = { ...systemClock, sleep: () => Promise.resolve() };
  const connected = ({
    baseUrl = atlas.url,
    ...changes
  }: Partial<AtlasClientOptions & TransportOptions> = {}) =>
    new AtlasClient({
      transport: new Transport({ ...changes, baseUrl }),
      limits: new Limits(impatient, notify),
      clock: impatient,
      auth: new DigestAuth(key),
      credentialsSource: source,
      maxWaitMs: 3_600_000,
      notify,
      ...changes,
    });
  return {
    atlas,
    organization,
    key,
    notices,
    client: connected(),
    connected,
    /** The requests whose credentials were verified: without the challenges. */
    verified: () => atlas.requests.filter(({ authenticated }) => authenticated),
    [Symbol.asyncDispose]: () => atlas.stop(),
  };
}

/** What a promise is rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error("It was not rejected.");
}
