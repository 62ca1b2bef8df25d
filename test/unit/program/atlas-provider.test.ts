import * as pulumi from "@pulumi/pulumi";
import { expect, test } from "vitest";
import { settingsSources } from "../../../provider/dynamic/settings-sources.ts";
import { AtlasProvider, type AtlasProviderArgs } from "../../../provider/program/atlas-provider.ts";
import { OrgInvitation } from "../../../provider/program/org-invitation.ts";
import { resolveSettings } from "../../../provider/settings/settings.ts";

const registered: pulumi.runtime.MockResourceArgs[] = [];
await pulumi.runtime.setMocks({
  call: () => ({}),
  newResource: (resource) => {
    registered.push(resource);
    return { id: `id of ${resource.name}`, state: resource.inputs };
  },
});

/** The resource as it was registered. */
async function registration(resource: pulumi.CustomResource): Promise<pulumi.runtime.MockResourceArgs> {
  const name = await new Promise((resolve) => {
    resource.urn.apply((urn) => resolve(urn.split("::").at(-1)));
  });
  return registered.find((one) => one.name === name) as pulumi.runtime.MockResourceArgs;
}

/** A secret, which the engine encrypts in the state. */
const encrypted = (value: unknown) => ({
  [pulumi.runtime.specialSigKey]: pulumi.runtime.specialSecretSig,
  value,
});

const all: Required<AtlasProviderArgs> = {
  publicKey: "publick1",
  privateKey: "private-1",
  clientId: "mdb_sa_id_1",
  clientSecret: "mdb_sa_sk_1",
  accessToken: "token-1",
  baseUrl: "https://atlas.example.com",
  isMongodbgovCloud: false,
  invitationsApi: "users",
  maxWait: "30m",
  debug: true,
};

test("each argument is a setting of Pulumi's provider of dynamic resources, and secrets are secret", async () => {
  const { type, custom, inputs } = await registration(new AtlasProvider("all", all));

  expect({ type, custom }).toEqual({ type: "pulumi:providers:pulumi-nodejs", custom: true });
  expect(inputs).toEqual({
    "mongodbatlas:explicitProvider": "true",
    "mongodbatlas:publicKey": "publick1",
    "mongodbatlas:privateKey": encrypted("private-1"),
    "mongodbatlas:clientId": "mdb_sa_id_1",
    "mongodbatlas:clientSecret": encrypted("mdb_sa_sk_1"),
    "mongodbatlas:accessToken": encrypted("token-1"),
    "mongodbatlas:baseUrl": "https://atlas.example.com",
    "mongodbatlas:isMongodbgovCloud": false,
    "mongodbatlas:invitationsApi": "users",
    "mongodbatlas:maxWait": "30m",
    "mongodbatlas:debug": true,
  });
});

test("an argument that is left out, or undefined, is no setting", async () => {
  const undefinedArgs = Object.fromEntries(Object.keys(all).map((name) => [name, undefined]));
  for (const [name, args] of Object.entries({ nothing: {}, undefined: undefinedArgs })) {
    const { inputs } = await registration(new AtlasProvider(name, args));
    expect(inputs).toEqual({ "mongodbatlas:explicitProvider": "true" });
  }
});

test("an argument may be an output, and a secret stays secret", async () => {
  const { inputs } = await registration(
    new AtlasProvider("outputs", {
      publicKey: pulumi.output(Promise.resolve("publick2")),
      privateKey: pulumi.output("private-2"),
      clientSecret: pulumi.secret("mdb_sa_sk_2"),
      baseUrl: pulumi.secret("https://secret.example.com"),
    }),
  );

  expect(inputs).toEqual({
    "mongodbatlas:explicitProvider": "true",
    "mongodbatlas:publicKey": "publick2",
    "mongodbatlas:privateKey": encrypted("private-2"),
    "mongodbatlas:clientSecret": encrypted("mdb_sa_sk_2"),
    "mongodbatlas:baseUrl": encrypted("https://secret.example.com"),
  });
});

test("an invitation has the provider of its options", async () => {
  const provider = new AtlasProvider("account", { accessToken: "token-1" });
  const ada = { orgId: "32b6e34b3d91647abb20e7b8", username: "ada@example.com", roles: ["ORG_MEMBER"] };

  const invitation = await registration(new OrgInvitation("ada", ada, { provider }));

  expect(invitation.provider).toBe(
    "urn:pulumi:stack::project::pulumi:providers:pulumi-nodejs::account::id of account",
  );
});

test("resource options are passed on", async () => {
  const parent = new AtlasProvider("parent", {});
  const child = new AtlasProvider("child", {}, { parent });
  await registration(child);

  const urn = await new Promise((resolve) => child.urn.apply(resolve));
  expect(urn).toContain("pulumi:providers:pulumi-nodejs$pulumi:providers:pulumi-nodejs::child");
});

test("its settings precede those of the environment", async () => {
  const { publicKey, privateKey, clientId, clientSecret, accessToken, ...others } = all;
  const { inputs } = await registration(new AtlasProvider("key", { publicKey, privateKey, ...others }));
  const environment = {
    MONGODB_ATLAS_ACCESS_TOKEN: "token-2",
    MONGODB_ATLAS_BASE_URL: "https://other.example.com",
    MONGODB_ATLAS_INVITATIONS_API: "v2",
    MONGODB_ATLAS_MAX_WAIT: "1s",
    MONGODB_ATLAS_DEBUG: "0",
  };

  // The plugin host unwraps the secrets.
  const sources = settingsSources(environment, (name) => inputs[name]?.value ?? inputs[name]);

  expect(resolveSettings(sources)).toEqual({
    credentials: { kind: "apiKey", publicKey, privateKey, source: expect.stringContaining("AtlasProvider") },
    baseUrl: "https://atlas.example.com",
    invitationsApi: "users",
    maxWaitMs: 1_800_000,
    debug: true,
  });
});
