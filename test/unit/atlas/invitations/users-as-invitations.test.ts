import { describe, expect, test } from "vitest";
import { MemberDirectory } from "../../../../provider/atlas/invitations/member-directory.ts";
import { bounds } from "../client-fixture.ts";
import { ada, invitationsApiOf, invitationsFixture, member } from "./invitations-fixture.ts";

// The requests of this API act on members as well, so each test is about a person who accepts at some moment.

const owner = { roles: ["ORG_OWNER"] };

/** Ada is pending, and the client of an API key or of a service account has its credentials. */
async function setUp(credentials: "apiKey" | "serviceAccount" = "apiKey") {
  const fixture = await invitationsFixture("users");
  const { atlas, clock, organization, orgId } = fixture;
  const { userId } = organization.invite(ada);
  const client = credentials === "apiKey" ? fixture.client : fixture.withServiceAccount();
  const api = invitationsApiOf("users", client, clock.now);
  const invitee = { username: ada, userId, roles: member.roles };
  await api.lookUp(({ users }) => users(orgId, bounds));
  atlas.forget();
  return {
    ...fixture,
    api,
    /** Lets Ada accept as soon as a request with this method was answered with this status. */
    acceptAfter: (method: string, status: number) => {
      const stop = atlas.onRequest((request, stage) => {
        if (stage !== "handled" || request.method !== method || request.status !== status) return;
        stop();
        organization.accept(ada);
      });
    },
    /** Every request with its status, challenges and requests for a token as well. */
    allSteps: () =>
      atlas.requests.map(({ method, path, status, fault }) =>
        [path.startsWith("/api/oauth") ? "token" : method, status ?? fault].join(" "),
      ),
    PATCH: () => api.updateOrgInvite(orgId, invitee, owner, bounds),
    DELETE: () => api.deleteOrgInvite(orgId, invitee, bounds),
    expectUnchangedMember: () =>
      expect(organization.users).toMatchObject([{ username: ada, status: "ACTIVE", roles: member.roles }]),
  };
}

test("reads the status immediately before each change and each cancellation", async () => {
  await using fixture = await setUp();

  expect(await fixture.PATCH()).toMatchObject(owner);
  expect(await fixture.DELETE()).toBe(true);

  expect(fixture.allSteps()).toEqual(["GET 200", "PATCH 200", "GET 200", "DELETE 204"]);
  expect(fixture.organization.users).toEqual([]);
});

describe.each(["PATCH", "DELETE"] as const)("%s does not change a member", (method) => {
  test("who accepted after a look-up", async () => {
    await using fixture = await setUp();
    const directory = new MemberDirectory(fixture.api, fixture.clock, () => {});
    const found = await directory.find({ orgId: fixture.orgId, username: ada }, bounds);
    fixture.organization.accept(ada);
    fixture.atlas.forget();

    expect(found?.orgMembershipStatus).toBe("PENDING");
    expect(await fixture[method]()).toBeUndefined();

    expect(fixture.allSteps()).toEqual(["GET 200"]);
    fixture.expectUnchangedMember();
  });

  test("who accepts while the answer is lost", async () => {
    await using fixture = await setUp();
    fixture.atlas.fail({ method, cut: "before" });
    fixture.atlas.onRequest((request, stage) => {
      if (request.method === method && stage === "arrived") fixture.organization.accept(ada);
    });

    expect(await fixture[method]()).toBeUndefined();

    expect(fixture.allSteps()).toEqual(["GET 200", `${method} cut`, "GET 200"]);
    fixture.expectUnchangedMember();
  });

  test("who accepts while the request waits for an empty bucket", async () => {
    await using fixture = await setUp();
    fixture.atlas.fail({ method, status: 429, headers: { "Retry-After": "60" } });
    fixture.acceptAfter(method, 429);

    expect(await fixture[method]()).toBeUndefined();

    expect(fixture.slept()).toBe(60_000);
    expect(fixture.allSteps()).toEqual(["GET 200", `${method} 429`, "GET 200"]);
    fixture.expectUnchangedMember();
  });

  test("who accepts while the request waits for a new token", async () => {
    await using fixture = await setUp("serviceAccount");
    fixture.atlas.onRequest((request, stage) => {
      if (request.method === "GET" && stage === "handled") fixture.atlas.expireTokens();
    });
    fixture.acceptAfter(method, 401);
    const headers = { "Retry-After": "60" };
    fixture.atlas.fail({ path: /oauth/, authenticated: "either", status: 429, headers });

    expect(await fixture[method]()).toBeUndefined();

    expect(fixture.slept()).toBe(60_000);
    const steps = ["GET 200", `${method} 401`, "token 429", "token 200", "GET 200"];
    expect(fixture.allSteps()).toEqual(steps);
    fixture.expectUnchangedMember();
  });

  test("who accepts while the request waits for a slow challenge", async () => {
    await using fixture = await setUp();
    fixture.atlas.settings.nonces = "once";
    fixture.atlas.onRequest((request, stage) => {
      if (stage !== "handled" || request.method !== method) return;
      fixture.clock.pass(5_000);
      fixture.organization.accept(ada);
    });

    expect(await fixture[method]()).toBeUndefined();

    expect(fixture.allSteps()).toEqual(["GET 401", "GET 200", `${method} 401`, "GET 401", "GET 200"]);
    fixture.expectUnchangedMember();
  });

  test("nor a person whose invitation has expired", async () => {
    await using fixture = await setUp();
    fixture.organization.expire(ada);

    expect(await fixture[method]()).toBeUndefined();

    expect(fixture.allSteps()).toEqual(["GET 404"]);
  });
});

test("a person who accepts within the round trip of the request is removed as a member", async () => {
  await using fixture = await setUp();
  fixture.acceptAfter("GET", 200);

  expect(await fixture.DELETE()).toBe(true);

  // No wait lies between the two requests.
  expect(fixture.allSteps()).toEqual(["GET 200", "DELETE 204"]);
  expect(fixture.sleeps).toEqual([]);
  expect(fixture.organization.users).toEqual([]);
});
