import { expect, test } from "vitest";
import type { InvitationThrottle } from "./invitation-throttle.ts";
import type { SimulatedAtlasOptions } from "./simulated-atlas.ts";
import { startAtlas, type TestResponse } from "./test-client.ts";

const minute = 60_000;

/** A simulator with a clock that the test sets, and requests with an access token. */
async function start(options?: SimulatedAtlasOptions) {
  const clock = { now: Date.parse("2026-08-10T03:03:00Z") };
  const fixture = await startAtlas({ now: () => clock.now, ...options });
  const { client, token, invites, users } = fixture;
  const send = (method: string, path: string, body?: unknown, bearer = token) => {
    const headers = { Accept: "application/vnd.atlas.2025-03-12+json", Authorization: `Bearer ${bearer}` };
    return client.send(method, `/api/atlas/v2${path}`, { body, headers });
  };
  let count = 0;
  const invite = (path = invites, username = `user${count++}@example.com`) => {
    const roles = ["ORG_MEMBER"];
    return send("POST", path, { username, roles: path === users ? { orgRoles: roles } : roles });
  };
  /** The statuses of several requests, one after the other. */
  const statuses = async (times: number, request: () => Promise<TestResponse>) => {
    const seen: number[] = [];
    for (let index = 0; index < times; index++) seen.push((await request()).status);
    return seen;
  };
  return { ...fixture, clock, send, invite, statuses, read: () => send("GET", invites) };
}

const rateLimit = ({ status, headers }: TestResponse) => [
  status,
  headers.get("ratelimit-limit"),
  headers.get("ratelimit-remaining"),
];

test("an invitation expires after exactly 30 days", async () => {
  await using fixture = await start();
  const { clock, organization, client, invites } = fixture;
  const { invitationId } = organization.invite("ada@example.com");

  clock.now += 30 * 24 * 60 * minute - 1;
  expect((await client.v2("PATCH", `${invites}/${invitationId}`, { roles: ["ORG_OWNER"] })).status).toBe(200);
  clock.now += 1;
  expect((await client.v2("GET", `${invites}/${invitationId}`)).status).toBe(404);
  expect(organization.find("ada@example.com")?.status).toBe("INVITATION_EXPIRED");
});

test("the throttle accepts ten invitations a minute, and refuses the next as recorded", async () => {
  await using fixture = await start({ invitationThrottle: {} });
  const { atlas, organization, invite, invites, users, statuses, send } = fixture;

  expect(await statuses(5, () => invite(invites))).toEqual(Array(5).fill(200));
  expect(await statuses(5, () => invite(users))).toEqual(Array(5).fill(201));
  for (const path of [invites, users]) {
    const { status, headers, body } = await invite(path);
    expect([status, headers.get("retry-after")]).toEqual([400, null]);
    expect(body).toEqual({
      detail: "Rate limit of 10 invitations per 1 minutes exceeded",
      error: 400,
      errorCode: "INVITATIONS_RATE_LIMITED_IP",
      parameters: [10, 1],
      reason: "Bad Request",
    });
  }
  expect([atlas.mails.length, organization.users.length]).toEqual([10, 10]);
  expect((await send("DELETE", `${invites}/${organization.users[0]?.invitationId}`)).status).toBe(204);

  // The limit is one of the source address, for all organizations.
  const other = atlas.addOrganization();
  const bearer = atlas.addAccessToken({ organization: other });
  const invitation = { username: "ada@example.com", roles: ["ORG_MEMBER"] };
  expect((await send("POST", `/orgs/${other.id}/invites`, invitation, bearer)).status).toBe(400);
  atlas.settings.invitationThrottle = { limit: 0, errorCode: "RATE_LIMITED_IP" };
  expect((await invite()).body.errorCode).toBe("RATE_LIMITED_IP");
  atlas.settings.invitationThrottle = undefined;
  expect(await statuses(3, invite)).toEqual([200, 200, 200]);
});

test.each<[InvitationThrottle, number[][]]>([
  [{ limit: 3, perMinutes: 2 }, [[400, 200, 200, 200, 400], [400], [200, 200, 200, 400]]],
  [{ limit: 3, perMinutes: 2, refusedCount: true }, [[400, 200, 200, 400, 400], [400], [200, 200, 400, 400]]],
])("the throttle %o has a window that slides", async (invitationThrottle, expected) => {
  await using fixture = await start({ invitationThrottle });
  const { clock, invite, statuses } = fixture;

  const first = await invite(fixture.invites, "not an address");
  const seen = [[first.status, ...(await statuses(4, invite))]];
  clock.now += 2 * minute - 1;
  seen.push(await statuses(1, invite));
  clock.now += 1;
  seen.push(await statuses(4, invite));

  expect(seen).toEqual(expected);
});

test("an empty bucket refuses as documented, and is refilled at the end of an interval", async () => {
  await using fixture = await start({ rateLimit: { capacity: 3, refill: 2, perSeconds: 60 } });
  const { atlas, clock, organization, invites, send, read, statuses } = fixture;
  const { invitationId } = organization.invite("ada@example.com");
  for (const left of ["2", "1", "0"]) expect(rateLimit(await read())).toEqual([200, "3", left]);

  clock.now += 4_500;
  const refused = await send("DELETE", `${invites}/${invitationId}`);
  const path = `api/atlas/v2${invites}/${invitationId}`;
  expect(rateLimit(refused)).toEqual([429, "3", "0"]);
  expect(refused.headers.get("retry-after")).toBe("56");
  expect(refused.body).toEqual({
    detail: `Rate limit exceeded for ${path}. Please retry after 56 seconds. Request capacity: 3. Refill rate: 2 per 60 seconds.`,
    error: 429,
    errorCode: "RATE_LIMITED_TOKEN_BUCKET",
    parameters: [path, 56, 3, 2, 60],
    reason: "Too Many Requests",
  });
  expect(organization.invitations).toHaveLength(1);
  atlas.settings.retryAfter = "date";
  expect((await read()).headers.get("retry-after")).toBe("Mon, 10 Aug 2026 03:04:00 GMT");
  atlas.settings.retryAfter = "absent";
  expect((await read()).headers.get("retry-after")).toBeNull();

  clock.now += 55_499;
  expect(await statuses(1, read)).toEqual([429]);
  clock.now += 1;
  expect(await statuses(3, read)).toEqual([200, 200, 429]);
  clock.now += 90_000;
  expect(await statuses(3, read)).toEqual([200, 200, 429]);
  clock.now += 30_000;
  expect(await statuses(3, read)).toEqual([200, 200, 429]);
  clock.now += 600_000;
  expect(await statuses(4, read)).toEqual([200, 200, 200, 429]);
  // A new limit starts with full buckets.
  atlas.settings.rateLimit = { capacity: 7, refill: 1, perSeconds: 1 };
  expect(rateLimit(await read())).toEqual([200, "7", "6"]);
});

test("each organization has a bucket for invitations and one for users, which errors empty as well", async () => {
  await using fixture = await start();
  const { atlas, organization, client, invites, users, send, read } = fixture;
  const other = atlas.addOrganization();
  const bearer = atlas.addAccessToken({ organization: other });
  organization.accessList = [];
  expect(rateLimit(await read())).toEqual([403, null, null]);
  delete organization.accessList;

  expect(rateLimit(await send("GET", `${invites}/x`))).toEqual([404, "500", "499"]);
  const unversioned = await client.sendWithDigest("GET", `/api/atlas/v1.0${invites}`);
  expect(rateLimit(unversioned)).toEqual([200, "500", "498"]);
  expect(rateLimit(await send("GET", users))).toEqual([200, "500", "499"]);
  expect(rateLimit(await send("GET", `/orgs/${other.id}/invites`, undefined, bearer))).toEqual([
    200,
    "500",
    "499",
  ]);
  // Without the setting, an empty bucket refuses nothing.
  await Promise.all(Array.from({ length: 498 }, read));
  expect(rateLimit(await read())).toEqual([200, "500", "0"]);
});
