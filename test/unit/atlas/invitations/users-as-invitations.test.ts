import { describe, expect, test } from "vitest";
import { bounds } from "../client/client-fixture.ts";
import { ada, invitationsFixture, member } from "./invitations-fixture.ts";

// The requests of this API act on members as well. Longer waits are tested with the lifecycle.

const owner = { roles: ["ORG_OWNER"] };

/** Ada is pending, and the client has a nonce. */
async function setUp() {
  const fixture = await invitationsFixture("users");
  const { atlas, api, organization, orgId } = fixture;
  const { userId } = organization.invite(ada);
  const invitee = { username: ada, userId, roles: member.roles };
  await api.lookUp(({ users }) => users(orgId, bounds));
  atlas.forget();
  return {
    ...fixture,
    /** Calls back once when a request with this method has got so far. */
    on: (method: string, at: "arrived" | "handled", callback: () => void) => {
      const stop = atlas.onRequest((request, stage) => {
        if (stage !== at || request.method !== method) return;
        stop();
        callback();
      });
    },
    PATCH: () => api.updateOrgInvite(orgId, invitee, owner, bounds),
    DELETE: () => api.deleteOrgInvite(orgId, invitee, bounds),
  };
}

type Fixture = Awaited<ReturnType<typeof setUp>>;

test("reads the status immediately before each change and each cancellation", async () => {
  await using fixture = await setUp();

  expect(await fixture.PATCH()).toMatchObject(owner);
  expect(await fixture.DELETE()).toBe(true);

  expect(fixture.steps()).toEqual(["GET 200", "PATCH 200", "GET 200", "DELETE 204"]);
  expect(fixture.organization.users).toEqual([]);
});

describe.each(["PATCH", "DELETE"] as const)("%s does not act on a person", (method) => {
  test.each<[who: string, arrange: (fixture: Fixture) => void, steps: string[], status: string]>([
    ["who accepted after the look-up", ({ organization }) => organization.accept(ada), ["GET 200"], "ACTIVE"],
    [
      "who accepts while the request is lost",
      ({ atlas, on, organization }) => {
        atlas.fail({ method, cut: "before" });
        on(method, "arrived", () => organization.accept(ada));
      },
      ["GET 200", `${method} cut`, "GET 200"],
      "ACTIVE",
    ],
    [
      "whose invitation has expired",
      ({ organization }) => organization.expire(ada),
      ["GET 404"],
      "INVITATION_EXPIRED",
    ],
  ])("%s", async (_, arrange, steps, status) => {
    await using fixture = await setUp();
    arrange(fixture);

    expect(await fixture[method]()).toBeUndefined();

    expect(fixture.steps()).toEqual(steps);
    expect(fixture.organization.find(ada)).toMatchObject({ status, roles: member.roles });
  });
});

test("a person who accepts within the round trip of the request is removed as a member", async () => {
  await using fixture = await setUp();
  fixture.on("GET", "handled", () => fixture.organization.accept(ada));

  expect(await fixture.DELETE()).toBe(true);

  // No wait lies between the two requests.
  expect(fixture.steps()).toEqual(["GET 200", "DELETE 204"]);
  expect(fixture.sleeps).toEqual([]);
  expect(fixture.organization.users).toEqual([]);
});
