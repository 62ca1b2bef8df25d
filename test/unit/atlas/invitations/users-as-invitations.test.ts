import { expect, test } from "vitest";
import { MemberDirectory } from "../../../../provider/atlas/invitations/member-directory.ts";
import { UsersAsInvitations } from "../../../../provider/atlas/invitations/users-as-invitations.ts";
import { UsersEndpoint } from "../../../../provider/atlas/invitations/users-endpoint.ts";
import { bounds, clientFixture } from "../client-fixture.ts";

// Its requests act on members as well, so that each test is about somebody who accepts at some moment:
// `invitations-api.test.ts` has what all generations do alike.

const ada = "ada@example.com";
const owner = { roles: ["ORG_OWNER"] };

/** A scene in which Ada is pending, and a client of an API key or of a service account that has its credentials. */
async function startScene(credentials: "apiKey" | "serviceAccount" = "apiKey") {
  const scene = await clientFixture();
  const { userId } = scene.organization.invite(ada);
  const client = credentials === "apiKey" ? scene.client : scene.withServiceAccount();
  const api = new UsersAsInvitations(new UsersEndpoint(client));
  const orgId = scene.organization.id;
  const invitee = { username: ada, userId, roles: ["ORG_MEMBER"] };
  await api.lookUp(async ([list]) => list?.(orgId, bounds));
  scene.atlas.forget();
  /** Lets Ada accept as soon as a request with this method was answered with this status. */
  const acceptAfter = (method: string, status: number) => {
    const lift = scene.atlas.onRequest((request, stage) => {
      if (stage !== "handled" || request.method !== method || request.status !== status) return;
      lift();
      scene.organization.accept(ada);
    });
  };
  const steps = () =>
    scene.atlas.requests.map(({ method, path, status, fault }) =>
      [path.startsWith("/api/oauth") ? "token" : method, status ?? fault].join(" "),
    );
  return {
    ...scene,
    api,
    orgId,
    invitee,
    acceptAfter,
    steps,
    change: () => api.updateOrgInvite(orgId, invitee, owner, bounds),
    cancel: () => api.deleteOrgInvite(orgId, invitee, bounds),
    expectMember: () =>
      expect(scene.organization.users).toMatchObject([
        { username: ada, status: "ACTIVE", roles: ["ORG_MEMBER"] },
      ]),
  };
}

test("the status is read immediately before each change and each cancellation", async () => {
  await using scene = await startScene();

  expect(await scene.change()).toMatchObject(owner);
  expect(await scene.cancel()).toBe(true);

  expect(scene.steps()).toEqual(["GET 200", "PATCH 200", "GET 200", "DELETE 204"]);
  expect(scene.organization.users).toEqual([]);
});

test.each(["change", "cancel"] as const)(
  "a member is left as they are, whatever was known before a %s",
  async (act) => {
    await using scene = await startScene();
    const people = new MemberDirectory(scene.api, scene.clock, () => {});
    const found = await people.find({ orgId: scene.orgId, username: ada }, bounds);
    scene.organization.accept(ada);
    scene.atlas.forget();

    expect(found?.orgMembershipStatus).toBe("PENDING");
    expect(await scene[act]()).toBeUndefined();

    expect(scene.steps()).toEqual(["GET 200"]);
    scene.expectMember();
  },
);

test.each(["change", "cancel"] as const)("who has expired is left alone by a %s", async (act) => {
  await using scene = await startScene();
  scene.organization.expire(ada);

  expect(await scene[act]()).toBeUndefined();

  expect(scene.steps()).toEqual(["GET 404"]);
});

test.each([
  ["change", "PATCH"],
  ["cancel", "DELETE"],
] as const)("who accepts while the answer to a %s is lost is left as they are", async (act, method) => {
  await using scene = await startScene();
  scene.atlas.fail({ method, cut: "before" });
  scene.atlas.onRequest((request, stage) => {
    if (request.method === method && stage === "arrived") scene.organization.accept(ada);
  });

  expect(await scene[act]()).toBeUndefined();

  expect(scene.steps()).toEqual(["GET 200", `${method} cut`, "GET 200"]);
  scene.expectMember();
});

test.each([
  ["change", "PATCH"],
  ["cancel", "DELETE"],
] as const)("who accepts while a %s waits for an empty bucket is left as they are", async (act, method) => {
  await using scene = await startScene();
  scene.atlas.fail({ method, status: 429, headers: { "Retry-After": "60" } });
  scene.acceptAfter(method, 429);

  expect(await scene[act]()).toBeUndefined();

  expect(scene.slept()).toBe(60_000);
  expect(scene.steps()).toEqual(["GET 200", `${method} 429`, "GET 200"]);
  scene.expectMember();
});

test.each([
  ["change", "PATCH"],
  ["cancel", "DELETE"],
] as const)("who accepts while a %s waits for a new token is left as they are", async (act, method) => {
  await using scene = await startScene("serviceAccount");
  scene.atlas.onRequest((request, stage) => {
    if (request.method === "GET" && stage === "handled") scene.atlas.expireTokens();
  });
  scene.acceptAfter(method, 401);
  const headers = { "Retry-After": "60" };
  scene.atlas.fail({ path: /oauth/, authenticated: "either", status: 429, headers });

  expect(await scene[act]()).toBeUndefined();

  expect(scene.slept()).toBe(60_000);
  expect(scene.steps()).toEqual(["GET 200", `${method} 401`, "token 429", "token 200", "GET 200"]);
  scene.expectMember();
});

test.each([
  ["change", "PATCH"],
  ["cancel", "DELETE"],
] as const)("who accepts while a %s waits for a slow challenge is left as they are", async (act, method) => {
  await using scene = await startScene();
  scene.atlas.settings.nonces = "once";
  scene.atlas.onRequest((request, stage) => {
    if (stage !== "handled" || request.method !== method) return;
    scene.clock.pass(5_000);
    scene.organization.accept(ada);
  });

  expect(await scene[act]()).toBeUndefined();

  expect(scene.steps()).toEqual(["GET 401", "GET 200", `${method} 401`, "GET 401", "GET 200"]);
  scene.expectMember();
});

test("who accepts within the round trip of the request is treated as a member is by it", async () => {
  await using scene = await startScene();
  scene.acceptAfter("GET", 200);

  expect(await scene.cancel()).toBe(true);

  // The bound is the one round trip: no wait lies between the two requests.
  expect(scene.steps()).toEqual(["GET 200", "DELETE 204"]);
  expect(scene.sleeps).toEqual([]);
  expect(scene.organization.users).toEqual([]);
});
