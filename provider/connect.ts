import { AtlasClient, type AtlasClientOptions } from "./atlas-client.ts";
import { type Auth, DigestAuth, FixedAuth } from "./auth.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { Settings } from "./config.ts";
import type { Credentials } from "./credentials.ts";
import type { InvitationsApi } from "./invitations-api.ts";
import { Lifecycle } from "./lifecycle.ts";
import { Limits } from "./limits.ts";
import { INVITES, OrgInvites } from "./org-invites.ts";
import { OrgUsers } from "./org-users.ts";
import { Peers } from "./peers.ts";
import { People } from "./people.ts";
import { ServiceAccountAuth } from "./service-account.ts";
import { Transport } from "./transport.ts";
import { UntilSunset } from "./until-sunset.ts";
import { UserInvites } from "./user-invites.ts";

/** One connection to Atlas: one pool, one kind of credentials, one set of limits. */
export interface Connection {
  lifecycle: Lifecycle;
  /** Gives back what Atlas lent, such as a token; absent where there is nothing. */
  close?: () => Promise<void>;
}

/**
 * A connection by the settings. `notify` takes the one line that tells the user of something unusual; `peers` are the
 * other plugin processes of this machine.
 */
export function connect(
  settings: Settings,
  notify: (line: string) => void,
  clock: Clock = systemClock,
  peers = new Peers(),
): Connection {
  const options: Omit<AtlasClientOptions, "auth"> = {
    transport: new Transport(settings),
    limits: new Limits(clock, notify, { shared: { peers, topic: new URL(settings.baseUrl).host } }),
    clock,
    credentialsSource: settings.credentials.source,
    maxWaitMs: settings.maxWaitMs,
    notify,
    debug: settings.debug ? notify : undefined,
  };
  const clientOf = (auth: Auth) => new AtlasClient({ ...options, auth });
  const auth = authOf(settings.credentials, clientOf, clock);
  const api = invitationsApi(settings, clientOf(auth), notify);
  const lifecycle = new Lifecycle(api, new People(api.lists, clock.now), notify);
  return { lifecycle, ...(auth instanceof ServiceAccountAuth && { close: () => auth.close() }) };
}

function authOf(credentials: Credentials, clientOf: (auth: Auth) => AtlasClient, clock: Clock): Auth {
  switch (credentials.kind) {
    case "apiKey":
      return new DigestAuth(credentials);
    case "serviceAccount":
      return new ServiceAccountAuth(credentials, clientOf, clock);
    case "accessToken":
      return new FixedAuth(`Bearer ${credentials.accessToken}`);
  }
}

function invitationsApi(
  { invitationsApi }: Settings,
  client: AtlasClient,
  notify: (line: string) => void,
): InvitationsApi {
  const users = new OrgUsers(client);
  const successor = new UserInvites(users);
  if (invitationsApi === "users") return successor;
  const retiring = new OrgInvites(client, users, INVITES[invitationsApi]);
  return new UntilSunset(retiring, successor, () =>
    notify(`Atlas has retired the ${invitationsApi} API of invitations: going on with the users API.`),
  );
}
