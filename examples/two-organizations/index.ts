import * as pulumi from "@pulumi/pulumi";
import { OrgInvitation } from "pulumi-atlas-invitations";

// An API key of Atlas belongs to one organization, so that each has a stack of its own, with its id and its key.
const organization = pulumi.getStack();
const orgId = new pulumi.Config().require("orgId");

const people: { name: string; roles: Record<string, string[]> }[] = [
  { name: "ada", roles: { sandbox: ["ORG_OWNER"], production: ["ORG_MEMBER"] } },
  { name: "grace", roles: { sandbox: ["ORG_OWNER"], production: ["ORG_OWNER"] } },
  { name: "joan", roles: { sandbox: ["ORG_MEMBER"] } },
];

for (const { name, roles } of people) {
  const rolesHere = roles[organization];
  if (rolesHere) new OrgInvitation(name, { orgId, username: `${name}@example.com`, roles: rolesHere });
}
