import { AtlasClient, type AtlasClientOptions } from "../atlas/client/atlas-client.ts";
import { type Auth, StaticAuth } from "../atlas/client/auth.ts";
import { Transport } from "../atlas/client/transport.ts";
import { type Clock, systemClock } from "../atlas/clock.ts";
import { DigestAuth } from "../atlas/credentials/digest-auth.ts";
import { ServiceAccountAuth } from "../atlas/credentials/service-account-auth.ts";
import type { InvitationsApi } from "../atlas/invitations/invitations-api.ts";
import { INVITES_API_VERSIONS, InvitesEndpoint } from "../atlas/invitations/invites-endpoint.ts";
import { MemberDirectory } from "../atlas/invitations/member-directory.ts";
import { SunsetFallback } from "../atlas/invitations/sunset-fallback.ts";
import { UsersAsInvitations } from "../atlas/invitations/users-as-invitations.ts";
import { UsersEndpoint } from "../atlas/invitations/users-endpoint.ts";
import { Peers } from "../atlas/limits/peers.ts";
import { RateLimiter } from "../atlas/limits/rate-limiter.ts";
import type { Notify } from "../atlas/notice.ts";
import type { Settings } from "../settings/settings.ts";
import { Declarations } from "./declarations.ts";
import { Lifecycle } from "./lifecycle.ts";

/** One connection to Atlas: one connection pool, one set of credentials, one set of limits. */
export interface Connection {
  lifecycle: Lifecycle;
  /** Revokes the access token; absent where there is none. */
  close?: () => Promise<void>;
}

/** What an adapter gives to a connection. */
export interface ConnectOptions {
  notify: Notify;
  /** The people whom the resources of this run declare. @default none */
  declarations?: Declarations;
  /** The other processes of this machine, which share Atlas's throttle. @default those that run */
  peers?: Peers;
  /** Aborted when the run is cancelled. @default never */
  signal?: AbortSignal | undefined;
  /** @default the system's */
  clock?: Clock;
}

/**
 * Makes the parts and puts them together. Sends nothing.
 *
 * @throws AtlasError "invalidProxy".
 */
export function connect(settings: Settings, options: ConnectOptions): Connection {
  const { notify, declarations = new Declarations(), signal, clock = systemClock } = options;
  const { peers = new Peers() } = options;
  const shared = { peers, topic: new URL(settings.baseUrl).host };
  const clientOptions: Omit<AtlasClientOptions, "auth"> = {
    transport: new Transport(settings),
    rateLimiter: new RateLimiter(clock, notify, { shared, signal }),
    clock,
    credentialsSource: settings.credentials.source,
    notify,
    debug: settings.debug,
  };
  // A token is revoked after a run was cancelled, when all other requests are rejected.
  const tokenOptions = { ...clientOptions, rateLimiter: new RateLimiter(clock, notify) };
  const auth = authOf(settings, (auth) => new AtlasClient({ ...tokenOptions, auth }), clock);
  const client = new AtlasClient({ ...clientOptions, auth });
  const members = new UsersEndpoint(client);
  const invitations = invitationsApi(settings, client, members, clock, notify);
  const directory = new MemberDirectory(invitations, clock, notify);
  const { maxWaitMs } = settings;
  const lifecycle = new Lifecycle({
    invitations,
    members,
    directory,
    declarations,
    clock,
    maxWaitMs,
    notify,
    signal,
  });
  return { lifecycle, ...(auth instanceof ServiceAccountAuth && { close: () => auth.close() }) };
}

function authOf({ credentials }: Settings, clientOf: (auth: Auth) => AtlasClient, clock: Clock): Auth {
  switch (credentials.kind) {
    case "apiKey":
      return new DigestAuth(credentials);
    case "serviceAccount":
      return new ServiceAccountAuth(credentials, clientOf, clock);
    case "accessToken":
      return new StaticAuth(`Bearer ${credentials.accessToken}`);
  }
}

function invitationsApi(
  { invitationsApi }: Settings,
  client: AtlasClient,
  users: UsersEndpoint,
  clock: Clock,
  notify: Notify,
): InvitationsApi {
  const replacement = new UsersAsInvitations(users);
  if (invitationsApi === "users") return replacement;
  const version = INVITES_API_VERSIONS[invitationsApi];
  const deprecated = new InvitesEndpoint(client, users.listOrgUsers, version, clock.now);
  return new SunsetFallback(deprecated, replacement, () =>
    notify({
      severity: "warning",
      text: `Atlas has retired the ${invitationsApi} API of invitations. The users API is used instead.`,
    }),
  );
}
