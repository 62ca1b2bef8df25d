import * as v from "valibot";
import type { Bounds } from "../../../../provider/atlas/bounds.ts";
import {
  AtlasClient,
  type AtlasClientOptions,
  type AtlasRequest,
} from "../../../../provider/atlas/client/atlas-client.ts";
import { Transport, type TransportOptions } from "../../../../provider/atlas/client/transport.ts";
import type { Clock } from "../../../../provider/atlas/clock.ts";
import { type ApiKey, DigestAuth } from "../../../../provider/atlas/credentials/digest-auth.ts";
import { ServiceAccountAuth } from "../../../../provider/atlas/credentials/service-account-auth.ts";
import { RateLimiter } from "../../../../provider/atlas/limits/rate-limiter.ts";
import type { Notice } from "../../../../provider/atlas/notice.ts";
import type { Stage } from "../../../support/simulated-atlas/request-listeners.ts";
import type { LoggedRequest } from "../../../support/simulated-atlas/request-log.ts";
import {
  SimulatedAtlas,
  type SimulatedAtlasOptions,
} from "../../../support/simulated-atlas/simulated-atlas.ts";

/** Where the client reads its credentials, for error messages. */
export const source = "the environment (MONGODB_ATLAS_PUBLIC_KEY and MONGODB_ATLAS_PRIVATE_KEY)";

/** An operation that may take an hour. */
export const bounds: Bounds = { deadline: 3_600_000 };

type Changes = Partial<Omit<AtlasClientOptions, "transport">> & { transport?: Partial<TransportOptions> };

/** A clock whose sleeps end at once: its time is the sum of the sleeps and of what a test adds with `pass`. */
class InstantClock implements Clock {
  /** How long each sleep was, in ms. */
  readonly sleeps: number[] = [];
  #start = Date.parse("2026-08-10T00:00:00Z");
  #elapsed = 0;
  #timers: { at: number; resolve: () => void }[] = [];

  readonly now = () => this.#start + this.#elapsed;
  readonly monotonic = () => this.#elapsed;
  readonly random = () => 0.5;

  readonly sleep = async (ms: number) => {
    this.sleeps.push(ms);
    this.pass(ms);
  };

  /** Advances the time, for example while a request is under way. */
  pass(ms: number): void {
    this.#elapsed += ms;
    for (const { at, resolve } of this.#timers) if (at <= this.#elapsed) resolve();
  }

  /** Sets the wall clock back, as an administrator of the machine may. */
  setBack(ms: number): void {
    this.#start -= ms;
  }

  /** Resolves when the time has advanced by so much. */
  after(ms: number): Promise<void> {
    return new Promise((resolve) => this.#timers.push({ at: this.#elapsed + ms, resolve }));
  }
}

/** A simulated Atlas with one organization, an owner's API key, and a client that uses the key, on one clock. */
export async function clientFixture(options?: SimulatedAtlasOptions) {
  const clock = new InstantClock();
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
    /** A client with another API key. */
    connectedBy: (key: ApiKey) => connected({ auth: new DigestAuth(key) }),
    /** A client with a service account of an owner. */
    withServiceAccount: () => {
      const account = atlas.addServiceAccount({ organization });
      return connected({ auth: new ServiceAccountAuth(account, (auth) => connected({ auth }), clock) });
    },
    clock,
    /** How long the client slept, each time. */
    sleeps: clock.sleeps,
    /** How long the client slept in all. */
    slept: () => clock.sleeps.reduce((sum, ms) => sum + ms, 0),
    /** The texts of the notices. */
    notices,
    /** Acts when the next such request reaches the stage. The request waits for it. */
    onNext: (
      stage: Stage,
      action: () => unknown,
      isMeant: (request: LoggedRequest) => boolean = () => true,
    ) => {
      const removeListener = atlas.onRequest(async (request, reached) => {
        if (reached !== stage || !isMeant(request)) return;
        removeListener();
        await action();
      });
    },
    /** The requests whose credentials were verified: without the challenges. */
    verified: () => atlas.requests.filter(({ authenticated }) => authenticated),
    [Symbol.asyncDispose]: () => atlas.stop(),
  };
}

export const username = "canary@example.com";

/** The parts of a list of invitations, and of an answer to one, that the tests of the client read. */
export const Invitations = v.array(v.object({ id: v.string(), username: v.string() }));
export const Created = v.object({ id: v.string() });

/** `clientFixture` with requests for the invitations of its organization. */
export async function requestFixture(options?: SimulatedAtlasOptions) {
  const fixture = await clientFixture(options);
  const { atlas, organization, client } = fixture;
  const path = `/api/atlas/v1.0/orgs/${organization.id}/invites`;
  const mediaType = "application/json";
  const list: AtlasRequest = { method: "GET", path, mediaType, subject: "the list of invitations", bounds };
  const { invitationId } = organization.invite("ada@example.com");
  atlas.mails.length = 0;
  return {
    ...fixture,
    path,
    list,
    /** Invites `username`. */
    create: {
      ...list,
      method: "POST",
      subject: username,
      person: { orgId: organization.id, username },
      body: { username, roles: ["ORG_MEMBER"] },
    } satisfies AtlasRequest,
    /** Deletes the invitation of ada@example.com. */
    remove: {
      ...list,
      method: "DELETE",
      path: `${path}/${invitationId}`,
      subject: "ada@example.com",
    } satisfies AtlasRequest,
    /** A recheck that lists the invitations and allows the request, and the bounds of its calls. */
    rechecked: (by = client) => {
      const calls: Bounds[] = [];
      const recheck = async (bounds: Bounds) => {
        calls.push(bounds);
        await by.fetch({ ...list, bounds }, Invitations);
      };
      return { calls, recheck };
    },
    /** Sends a request, and parses the answer. */
    send: (request: AtlasRequest = list, by = client) => {
      if (request.method === "DELETE") return by.sendWithoutBody(request);
      return by.fetch(request, request.method === "POST" ? Created : Invitations);
    },
    /** The methods of the verified requests. */
    methods: () => fixture.verified().map(({ method }) => method),
    /** All requests: the method, or "token", with the status and what is unusual about it. */
    log: () =>
      atlas.log().map((line) => line.replace(/^POST \/api\/oauth\/\S+/, "token").replace(/ \/\S+/, "")),
  };
}

/** The error of a promise that is rejected. */
export function rejection(promise: Promise<unknown>): Promise<Error> {
  const unexpected = () => Promise.reject(new Error("The promise was not rejected."));
  return promise.then(unexpected, (error) => error);
}
