// Declares the resources of declarations.json: see Declaration in invitation-stack.ts.
const pulumi = require("@pulumi/pulumi");
const { AtlasProvider, OrgInvitation } = require("pulumi-atlas-invitations");
const declarations = require("./declarations.json");

const created = {};
const providers = {};
const providerOf = (name) => {
  providers[name] ??= new AtlasProvider(name, {
    publicKey: process.env.MONGODB_ATLAS_PUBLIC_KEY,
    privateKey: process.env.MONGODB_ATLAS_PRIVATE_KEY,
  });
  return providers[name];
};
for (const [name, { options = {}, secrets = [], ...declaration }] of Object.entries(declarations)) {
  const args = JSON.parse(JSON.stringify(declaration), (_key, value) =>
    value?.afterCreating ? created[value.afterCreating].status.apply(() => value.value) : value,
  );
  for (const secret of secrets) args[secret] = pulumi.secret(args[secret]);
  const { provider, component, ...others } = options;
  created[name] = new OrgInvitation(name, args, {
    ...others,
    ...(provider && { provider: providerOf(provider) }),
    ...(component && { parent: new pulumi.ComponentResource("test:index:Team", component) }),
  });
}
