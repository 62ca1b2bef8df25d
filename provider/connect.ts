import { AtlasClient, type AtlasClientOptions } from "./atlas-client.ts";
import { DigestAuth } from "./auth.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { Settings } from "./config.ts";
import type { InvitationsApi } from "./invitations-api.ts";
import { Lifecycle } from "./lifecycle.ts";
import { Limits } from "./limits.ts";
import { INVITES, OrgInvites } from "./org-invites.ts";
import { OrgUsers } from "./org-users.ts";
import { People } from "./people.ts";
import { Transport } from "./transport.ts";
import { UntilSunset } from "./until-sunset.ts";
import { UserInvites } from "./user-invites.ts";

/** The lifecycle over the server, the credentials and the API generation of the settings. */
export function connect(
  settings: Settings,
  notify: (line: string) => void,
  clock: Clock = systemClock,
): Lifecycle {
  const { baseUrl, credentials } = settings;
  const options: Omit<AtlasClientOptions, "auth"> = {
    transport: new Transport({ baseUrl }),
    limits: new Limits(clock, notify),
    clock,
    credentialsSource: credentials.source,
    maxWaitMs: 3_600_000,
    notify,
  };
  const client = new AtlasClient({ ...options, auth: new DigestAuth(credentials) });
  const api = invitationsApi(settings, client, notify);
  return new Lifecycle(api, new People(api.lists, clock.now), notify);
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
