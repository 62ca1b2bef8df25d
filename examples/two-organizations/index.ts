import * as pulumi from "@pulumi/pulumi";
import { AtlasProvider, OrgInvitation } from "pulumi-atlas-invitations";

const config = new pulumi.Config();

const people: { name: string; roles: Record<string, string[]> }[] = [
  { name: "ada", roles: { sandbox: ["ORG_OWNER"], production: ["ORG_MEMBER"] } },
  { name: "grace", roles: { sandbox: ["ORG_OWNER"], production: ["ORG_OWNER"] } },
  { name: "joan", roles: { sandbox: ["ORG_MEMBER"] } },
];

for (const organization of ["sandbox", "production"]) {
  // An API key of Atlas belongs to one organization.
  const provider = new AtlasProvider(organization, {
    publicKey: config.require(`${organization}PublicKey`),
    privateKey: config.requireSecret(`${organization}PrivateKey`),
  });
  const orgId = config.require(`${organization}OrgId`);
  for (const { name, roles } of people) {
    const rolesHere = roles[organization];
    if (!rolesHere) continue;
    const username = `${name}@example.com`;
    new OrgInvitation(`${organization}-${name}`, { orgId, username, roles: rolesHere }, { provider });
  }
}
