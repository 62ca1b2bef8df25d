import { expect, test } from "vitest";
import type { Settings } from "../provider/config.ts";
import { connect } from "../provider/connect.ts";
import type { Credentials } from "../provider/credentials.ts";
import { SimulatedAtlas } from "./atlas/simulated-atlas.ts";

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
  const connected = (kind: string, changes: Partial<Settings> = {}) =>
    connect(
      {
        baseUrl: atlas.url,
        invitationsApi: "v2",
        credentials: credentials[kind] as Credentials,
        maxWaitMs: 3_600_000,
        debug: false,
        ...changes,
      },
      (line) => lines.push(line),
    );
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
