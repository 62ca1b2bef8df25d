import { AtlasClient, type AtlasClientOptions } from "../../../provider/atlas/atlas-client.ts";
import type { Bounds } from "../../../provider/atlas/bounds.ts";
import type { Clock } from "../../../provider/atlas/clock.ts";
import { type ApiKey, DigestAuth } from "../../../provider/atlas/credentials/digest-auth.ts";
import { ServiceAccountAuth } from "../../../provider/atlas/credentials/service-account-auth.ts";
import type { InvitationsApi } from "../../../provider/atlas/invitations/invitations-api.ts";
import {
  INVITES_API_VERSIONS,
  InvitesEndpoint,
} from "../../../provider/atlas/invitations/invites-endpoint.ts";
import { UsersAsInvitations } from "../../../provider/atlas/invitations/users-as-invitations.ts";
import { UsersEndpoint } from "../../../provider/atlas/invitations/users-endpoint.ts";
import { RateLimiter } from "../../../provider/atlas/limits/rate-limiter.ts";
import type { Notice } from "../../../provider/atlas/notice.ts";
import { Transport, type TransportOptions } from "../../../provider/atlas/transport.ts";
import type { InvitationsApiVersion } from "../../../provider/settings/settings.ts";
import { SimulatedAtlas, type SimulatedAtlasOptions } from "../../support/simulated-atlas/simulated-atlas.ts";

/** Where the key of a scene's client was read, as its errors say. */
export const source = "the environment (MONGODB_ATLAS_PUBLIC_KEY and MONGODB_ATLAS_PRIVATE_KEY)";

/** What bounds a request that may take an hour. */
export const bounds: Bounds = { deadline: 3_600_000 };

type Changes = Partial<Omit<AtlasClientOptions, "transport">> & { transport?: Partial<TransportOptions> };

/** A clock whose waits are over at once: time is what was waited, and what a test lets pass. */
class ImpatientClock implements Clock {
  /** How long each sleep was, in ms. */
  readonly sleeps: number[] = [];
  readonly #start = Date.parse("2026-08-10T00:00:00Z");
  #elapsed = 0;
  #appointments: { at: number; arrive: () => void }[] = [];

  readonly now = () => this.#start + this.#elapsed;
  readonly monotonic = () => this.#elapsed;
  readonly random = () => 0.5;

  readonly sleep = async (ms: number) => {
    this.sleeps.push(ms);
    this.pass(ms);
  };

  /** Lets so much time pass at once, such as while a request is under way. */
  pass(ms: number): void {
    this.#elapsed += ms;
    for (const { at, arrive } of this.#appointments) if (at <= this.#elapsed) arrive();
  }

  /** Resolves when so much time has passed from now on. */
  after(ms: number): Promise<void> {
    return new Promise((arrive) => this.#appointments.push({ at: this.#elapsed + ms, arrive }));
  }
}

/** A simulated Atlas with one organization, an owner's key, and a client that uses the key, on one clock. */
export async function clientFixture(options?: SimulatedAtlasOptions) {
  const clock = new ImpatientClock();
  const atlas = await SimulatedAtlas.start({ now: clock.now, ...options });
  const organization = atlas.addOrganization({ name: "Example" });
  const key = atlas.addApiKey({ organization });
  const notices: string[] = [];
  const notify = ({ text }: Notice) => void notices.push(text);
  const connected = ({ transport, ...changes }: Changes = {}) =>
    new AtlasClient({
      transport: new Transport({ baseUrl: atlas.url, ...transport }),
      rateLimiter: new RateLimiter(clock, notify),
      clock,
      auth: new DigestAuth(key),
      credentialsSource: source,
      notify,
      ...changes,
    });
  return {
    atlas,
    organization,
    key,
    client: connected(),
    connected,
    /** A client that uses another key. */
    connectedBy: (key: ApiKey) => connected({ auth: new DigestAuth(key) }),
    /** A client that uses a service account of an owner. */
    withServiceAccount: () => {
      const account = atlas.addServiceAccount({ organization });
      return connected({ auth: new ServiceAccountAuth(account, (auth) => connected({ auth }), clock) });
    },
    clock,
    /** How long the client waited, each time. */
    sleeps: clock.sleeps,
    /** How long it waited in all. */
    slept: () => clock.sleeps.reduce((sum, ms) => sum + ms, 0),
    /** What the user was told. */
    notices,
    /** The requests whose credentials were verified: without the challenges. */
    verified: () => atlas.requests.filter(({ authenticated }) => authenticated),
    [Symbol.asyncDispose]: () => atlas.stop(),
  };
}

/** One generation of the invitations API, without a successor. */
export function invitationsApiOf(
  generation: InvitationsApiVersion,
  client: AtlasClient,
  clock: Clock,
): InvitationsApi {
  const users = new UsersEndpoint(client);
  if (generation === "users") return new UsersAsInvitations(users);
  return new InvitesEndpoint(client, users.listOrgUsers, INVITES_API_VERSIONS[generation], clock.now);
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
