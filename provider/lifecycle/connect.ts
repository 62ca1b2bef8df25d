import { AtlasClient, type AtlasClientOptions } from "../atlas/atlas-client.ts";
import { type Auth, DigestAuth, StaticAuth } from "../atlas/auth.ts";
import { type Clock, systemClock } from "../atlas/clock.ts";
import { ServiceAccountAuth } from "../atlas/credentials/service-account-auth.ts";
import type { InvitationsApi } from "../atlas/invitations/invitations-api.ts";
import { INVITES_API_VERSIONS, InvitesEndpoint } from "../atlas/invitations/invites-endpoint.ts";
import { MemberDirectory } from "../atlas/invitations/member-directory.ts";
import { SunsetFallback } from "../atlas/invitations/sunset-fallback.ts";
import { UsersAsInvitations } from "../atlas/invitations/users-as-invitations.ts";
import { UsersEndpoint } from "../atlas/invitations/users-endpoint.ts";
import { Peers } from "../atlas/limits/peers.ts";
import { RateLimiter } from "../atlas/limits/rate-limiter.ts";
import { Transport } from "../atlas/transport.ts";
import type { Settings } from "../settings/settings.ts";
import { Declarations } from "./declarations.ts";
import { Lifecycle } from "./lifecycle.ts";

/** One connection to Atlas: one pool, one kind of credentials, one set of limits. */
export interface Connection {
  lifecycle: Lifecycle;
  /** Gives back what Atlas lent, such as a token; absent where there is nothing. */
  close?: () => Promise<void>;
}

/** What a connection shares with whoever uses it. */
export interface ConnectOptions {
  /** Takes the one line that tells the user of something unusual. */
  notify: (line: string) => void;
  /** @default no other resource is known */
  declarations?: Declarations;
  /** The other plugin processes of this machine, which share the throttle. @default those that are found */
  peers?: Peers;
  /** Aborted when the run is cancelled. @default never */
  signal?: AbortSignal | undefined;
  /** @default the system's */
  clock?: Clock;
}

/** A connection by the settings. */
export function connect(settings: Settings, options: ConnectOptions): Connection {
  const { notify, declarations = new Declarations(), signal, clock = systemClock } = options;
  const { peers = new Peers() } = options;
  const shared = { peers, topic: new URL(settings.baseUrl).host };
  const clientOptions: Omit<AtlasClientOptions, "auth"> = {
    transport: new Transport(settings),
    limits: new RateLimiter(clock, notify, { shared, signal }),
    clock,
    credentialsSource: settings.credentials.source,
    notify,
    debug: settings.debug ? notify : undefined,
  };
  // A token is revoked after the run was cancelled, too, when nothing else is sent any more.
  const tokenOptions = { ...clientOptions, limits: new RateLimiter(clock, notify) };
  const auth = authOf(settings, (auth) => new AtlasClient({ ...tokenOptions, auth }), clock);
  const api = invitationsApi(settings, new AtlasClient({ ...clientOptions, auth }), clock, notify);
  const people = new MemberDirectory(api, clock, notify);
  const { maxWaitMs } = settings;
  const lifecycle = new Lifecycle({ api, people, declarations, clock, maxWaitMs, notify, signal });
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
  clock: Clock,
  notify: (line: string) => void,
): InvitationsApi {
  const users = new UsersEndpoint(client);
  const successor = new UsersAsInvitations(users);
  if (invitationsApi === "users") return successor;
  const retiring = new InvitesEndpoint(client, users, INVITES_API_VERSIONS[invitationsApi], clock.now);
  return new SunsetFallback(retiring, successor, () =>
    notify(`Atlas has retired the ${invitationsApi} API of invitations: going on with the users API.`),
  );
}
