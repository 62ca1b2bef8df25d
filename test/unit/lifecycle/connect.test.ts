import { expect, test } from "vitest";
import { type ConnectOptions, connect } from "../../../provider/lifecycle/connect.ts";
import type { Credentials } from "../../../provider/settings/credentials.ts";
import type { Settings } from "../../../provider/settings/settings.ts";
import { SimulatedAtlas } from "../../support/simulated-atlas/simulated-atlas.ts";

/** A simulated Atlas with every kind of credentials, and connections to it. */
async function startScene() {
  const atlas = await SimulatedAtlas.start();
  const organization = atlas.addOrganization();
  const source = "the test";
  const credentials: Record<string, Credentials> = {
    apiKey: { kind: "apiKey", ...atlas.addApiKey({ organization }), source },
    serviceAccount: { kind: "serviceAccount", ...atlas.addServiceAccount({ organization }), source },
    accessToken: { kind: "accessToken", accessToken: atlas.addAccessToken({ organization }), source },
  };
  const lines: string[] = [];
  const connected = (kind: string, changes: Partial<Settings & ConnectOptions> = {}) => {
    const settings: Settings = {
      baseUrl: atlas.url,
      invitationsApi: "v2",
      credentials: credentials[kind] as Credentials,
      maxWaitMs: 3_600_000,
      debug: false,
    };
    const notify = (line: string) => lines.push(line);
    return connect({ ...settings, ...changes }, { notify, ...changes });
  };
  const inputs = {
    orgId: organization.id,
    username: "ada@example.com",
    roles: ["ORG_MEMBER"],
    teamIds: [],
    groupRoleAssignments: [],
    onAccepted: "fail" as const,
    reinviteExpired: false,
  };
  return { atlas, organization, connected, inputs, lines, [Symbol.asyncDispose]: () => atlas.stop() };
}

test.each(["apiKey", "serviceAccount", "accessToken"])("an invitation is sent with an %s", async (kind) => {
  await using scene = await startScene();

  await scene.connected(kind).lifecycle.create(scene.inputs);

  expect(scene.organization.invitations).toMatchObject([{ username: "ada@example.com" }]);
  expect(scene.lines).toEqual([]);
});

test.each(["v1.0", "v2", "users"] as const)("an invitation is sent by the %s API", async (invitationsApi) => {
  await using scene = await startScene();

  await scene.connected("apiKey", { invitationsApi }).lifecycle.create(scene.inputs);

  const [sent] = scene.atlas.requests.filter(({ method, challenge }) => method === "POST" && !challenge);
  const root = invitationsApi === "v1.0" ? "/api/atlas/v1.0/orgs" : "/api/atlas/v2/orgs";
  const resource = invitationsApi === "users" ? "users" : "invites";
  expect(sent?.path).toBe(`${root}/${scene.organization.id}/${resource}`);
  expect(scene.organization.invitations).toHaveLength(1);
});

test.each(["v1.0", "v2"] as const)("the retirement of the %s API is told of once", async (invitationsApi) => {
  await using scene = await startScene();
  scene.atlas.sunset();
  const { lifecycle } = scene.connected("apiKey", { invitationsApi });

  await lifecycle.create(scene.inputs);
  await lifecycle.create({ ...scene.inputs, username: "bob@example.com" });

  expect(scene.organization.invitations).toHaveLength(2);
  expect(scene.lines).toEqual([
    `Atlas has retired the ${invitationsApi} API of invitations: going on with the users API.`,
  ]);
});

test("nothing is sent by a run that is cancelled, but a token is given back", async () => {
  await using scene = await startScene();
  const run = new AbortController();
  const { lifecycle, close } = scene.connected("serviceAccount", { signal: run.signal });
  await lifecycle.create(scene.inputs);
  scene.atlas.forget();
  run.abort();

  const created = lifecycle.create({ ...scene.inputs, username: "bob@example.com" });
  await expect(created).rejects.toThrow("cancelled");
  await close?.();

  expect(scene.atlas.log()).toEqual(["POST /api/oauth/revoke 200"]);
  expect(scene.atlas.tokens).toMatchObject([{ revoked: false }, { revoked: true }]);
  expect(scene.organization.invitations).toHaveLength(1);
});

test("only what Atlas lent is given back", async () => {
  await using scene = await startScene();
  const { lifecycle, close } = scene.connected("serviceAccount");
  await lifecycle.create(scene.inputs);
  await close?.();

  // The first is the one that the test has.
  expect(scene.atlas.tokens).toMatchObject([{ revoked: false }, { revoked: true }]);
  expect(scene.connected("apiKey").close).toBeUndefined();
  expect(scene.connected("accessToken").close).toBeUndefined();
});

test("each request is told in a line where that is asked for, those for tokens as well", async () => {
  await using scene = await startScene();
  const { lifecycle } = scene.connected("serviceAccount", { debug: true });
  await lifecycle.create(scene.inputs);

  const path = `/api/atlas/v2/orgs/${scene.organization.id}`;
  expect(scene.lines.map((line) => line.replace(/\?\S+/, "").replace(/\d+ ms/, "1 ms"))).toEqual([
    "POST /api/oauth/token 200 1 ms, try 1",
    `GET ${path}/invites 200 1 ms, try 1`,
    `GET ${path}/users 200 1 ms, try 1`,
    `POST ${path}/invites 200 1 ms, try 1`,
  ]);
});
