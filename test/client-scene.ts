import { AtlasClient, type AtlasClientOptions } from "../provider/atlas-client.ts";
import { DigestAuth } from "../provider/auth.ts";
import type { Clock } from "../provider/clock.ts";
import { Limits } from "../provider/limits.ts";
import { Transport, type TransportOptions } from "../provider/transport.ts";
import { SimulatedAtlas, type SimulatedAtlasOptions } from "./atlas/simulated-atlas.ts";

/** Where the key of a scene's client was read, as its errors say. */
export const source = "the environment (MONGODB_ATLAS_PUBLIC_KEY and MONGODB_ATLAS_PRIVATE_KEY)";

type Changes = Partial<Omit<AtlasClientOptions, "transport">> & { transport?: Partial<TransportOptions> };

/** A simulated Atlas with one organization, an owner's key, and a client that uses the key. */
export async function clientScene(options?: SimulatedAtlasOptions) {
  const atlas = await SimulatedAtlas.start(options);
  const organization = atlas.addOrganization({ name: "Example" });
  const key = atlas.addApiKey({ organization });
  const notices: string[] = [];
  const notify = (line: string) => notices.push(line);
  const sleeps: number[] = [];
  const start = Date.parse("2026-08-10T00:00:00Z");
  let elapsed = 0;
  // Waits are over at once, and time is what was waited.
  const clock: Clock = {
    now: () => start + elapsed,
    monotonic: () => elapsed,
    sleep: async (ms) => {
      sleeps.push(ms);
      elapsed += ms;
    },
    random: () => 0.5,
  };
  const connected = ({ transport, ...changes }: Changes = {}) =>
    new AtlasClient({
      transport: new Transport({ baseUrl: atlas.url, ...transport }),
      limits: new Limits(clock, notify),
      clock,
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
    client: connected(),
    connected,
    clock,
    /** How long the client waited, each time. */
    sleeps,
    /** How long it waited in all. */
    slept: () => sleeps.reduce((sum, ms) => sum + ms, 0),
    /** What the user was told. */
    notices,
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
