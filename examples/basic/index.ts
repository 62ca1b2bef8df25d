import * as pulumi from "@pulumi/pulumi";
import { type OnAccepted, OrgInvitation } from "pulumi-atlas-invitations";

const config = new pulumi.Config();
const orgId = config.require("orgId");
const onAccepted = config.get<OnAccepted>("onAccepted");

const people = [
  { name: "ada", roles: ["ORG_GROUP_CREATOR", "ORG_MEMBER"] },
  { name: "barbara", roles: ["ORG_MEMBER"] },
  { name: "edsger", roles: ["ORG_MEMBER"], reinviteExpired: true },
  { name: "grace", roles: ["ORG_MEMBER"] },
  { name: "joan", roles: ["ORG_READ_ONLY"] },
];

const invitations = people.map(
  ({ name, ...args }) =>
    new OrgInvitation(name, { orgId, username: `${name}@example.com`, onAccepted, ...args }),
);

/** The status of each invitation, as of the last up. */
export const status = pulumi
  .all(invitations.map(({ username, status }) => [username, status]))
  .apply(Object.fromEntries);
