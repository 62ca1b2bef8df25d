import { AtlasClient } from "./atlas-client.ts";
import { DigestAuth } from "./auth.ts";
import type { Settings } from "./config.ts";
import { Lifecycle } from "./lifecycle.ts";
import { INVITES, OrgInvites } from "./org-invites.ts";
import { OrgUsers } from "./org-users.ts";
import { People } from "./people.ts";

/** The lifecycle over the server, the credentials and the API generation of the settings. */
export function connect({ baseUrl, credentials, invitationsApi }: Settings): Lifecycle {
  const client = new AtlasClient({
    baseUrl,
    auth: new DigestAuth(credentials),
    credentialsSource: credentials.source,
  });
  const api = new OrgInvites(client, new OrgUsers(client), INVITES[invitationsApi]);
  return new Lifecycle(api, new People(api.lists));
}
