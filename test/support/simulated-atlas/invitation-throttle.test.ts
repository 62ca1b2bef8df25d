import { describe, expect, test } from "vitest";
import { startScene } from "./caller.ts";
import type { InvitationThrottle } from "./invitation-throttle.ts";

const minute = 60_000;

/** A scene with a throttle and a clock, and a function that invites somebody new. */
async function startThrottled(invitationThrottle: InvitationThrottle | undefined = {}) {
  const clock = { now: 0 };
  const scene = await startScene({ now: () => clock.now, invitationThrottle });
  let count = 0;
  const invite = (generation: "v1" | "v2" | "users" = "v2", username = `person-${count++}@example.com`) => {
    const roles = ["ORG_MEMBER"];
    return generation === "users"
      ? scene.caller.v2("POST", scene.users, { username, roles: { orgRoles: roles } })
      : scene.caller[generation]("POST", scene.invites, { username, roles });
  };
  const inviteAll = async (...generations: Parameters<typeof invite>[0][]) => {
    const statuses: number[] = [];
    for (const generation of generations) statuses.push((await invite(generation)).status);
    return statuses;
  };
  return { ...scene, clock, invite, inviteAll };
}

test("ten invitations a minute are sent, whatever the API, and the next is refused as recorded", async () => {
  await using scene = await startThrottled();

  expect(await scene.inviteAll("v1", "v1", "v1", "v1", "v2", "v2", "v2")).toEqual(Array(7).fill(200));
  expect(await scene.inviteAll("users", "users", "users")).toEqual([201, 201, 201]);

  for (const generation of ["v1", "v2", "users"] as const) {
    const { status, headers, body } = await scene.invite(generation);
    expect([status, headers.get("retry-after"), headers.get("x-error-code")]).toEqual([
      400,
      null,
      "INVITATIONS_RATE_LIMITED_IP",
    ]);
    expect(body).toEqual({
      detail: "Rate limit of 10 invitations per 1 minutes exceeded",
      error: 400,
      errorCode: "INVITATIONS_RATE_LIMITED_IP",
      parameters: [10, 1],
      reason: "Bad Request",
    });
  }
  expect([scene.atlas.mails.length, scene.organization.invitations.length]).toEqual([10, 10]);
});

test("the window slides with the clock", async () => {
  await using scene = await startThrottled({ limit: 2, perMinutes: 2 });

  await scene.invite();
  scene.clock.now = minute;
  await scene.invite();
  scene.clock.now = 2 * minute - 1;
  expect((await scene.invite()).body.detail).toBe("Rate limit of 2 invitations per 2 minutes exceeded");
  scene.clock.now = 2 * minute;
  expect(await scene.inviteAll("v2", "v2")).toEqual([200, 400]);
  scene.clock.now = 3 * minute;
  expect(await scene.inviteAll("v2", "v2")).toEqual([200, 400]);
});

test("the throttle is of the source address, for all organizations", async () => {
  await using scene = await startThrottled({ limit: 1 });
  const token = scene.atlas.addAccessToken({
    organization: scene.atlas.addOrganization({ id: "0".repeat(24) }),
  });

  expect(await scene.inviteAll("v2")).toEqual([200]);
  const elsewhere = await scene.caller.plain("POST", `/api/atlas/v2/orgs/${"0".repeat(24)}/invites`, {
    body: { username: "ada@example.com", roles: ["ORG_MEMBER"] },
    headers: { Accept: "application/vnd.atlas.2023-01-01+json", Authorization: `Bearer ${token}` },
  });

  expect(elsewhere.body.errorCode).toBe("INVITATIONS_RATE_LIMITED_IP");
});

test("reads, changes and cancellations are not throttled", async () => {
  await using scene = await startThrottled({ limit: 0 });
  const { invitationId } = scene.organization.invite("ada@example.com");
  const path = `${scene.invites}/${invitationId}`;

  expect((await scene.caller.v2("GET", scene.users)).status).toBe(200);
  expect((await scene.caller.v2("PATCH", path, { roles: ["ORG_OWNER"] })).status).toBe(200);
  expect((await scene.caller.v2("DELETE", path)).status).toBe(204);
  expect(await scene.inviteAll("v2", "users")).toEqual([400, 400]);
});

test("the documented error code can take the place of the recorded one", async () => {
  await using scene = await startThrottled({ limit: 0, errorCode: "RATE_LIMITED_IP" });

  expect((await scene.invite()).body.errorCode).toBe("RATE_LIMITED_IP");
});

describe("refused attempts", () => {
  async function attempts(refusedCount: boolean | undefined) {
    await using scene = await startThrottled({
      limit: 3,
      ...(refusedCount !== undefined && { refusedCount }),
    });
    const statuses = [(await scene.invite("v2", "no address")).status];
    statuses.push(...(await scene.inviteAll("v2", "v2", "v2", "v2")));
    scene.clock.now = minute / 2;
    statuses.push(...(await scene.inviteAll("v2")));
    scene.clock.now = minute;
    statuses.push(...(await scene.inviteAll("v2", "v2", "v2")));
    return statuses;
  }

  test.each([undefined, false])("do not count by default (%s)", async (refusedCount) => {
    expect(await attempts(refusedCount)).toEqual([400, 200, 200, 200, 400, 400, 200, 200, 200]);
  });

  test("count if told so", async () => {
    expect(await attempts(true)).toEqual([400, 200, 200, 400, 400, 400, 200, 200, 400]);
  });
});

test("nothing is throttled by default, and the throttle comes and goes with its setting", async () => {
  await using scene = await startThrottled();
  scene.atlas.settings.invitationThrottle = undefined;
  expect(await scene.inviteAll(...Array(12).fill("v2"))).toEqual(Array(12).fill(200));

  scene.atlas.settings.invitationThrottle = { limit: 1 };
  expect(await scene.inviteAll("v2", "v2")).toEqual([200, 400]);
});
