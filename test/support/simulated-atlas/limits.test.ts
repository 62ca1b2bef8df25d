import { expect, test } from "vitest";
import type { SimulatedAtlasOptions } from "./simulated-atlas.ts";
import { startAtlas, type TestResponse } from "./test-client.ts";

const minute = 60_000;

/** A simulator with a clock that the test sets, and requests with an access token. */
async function start(options?: SimulatedAtlasOptions) {
  const clock = { now: Date.parse("2026-08-10T03:03:00Z") };
  const fixture = await startAtlas({ now: () => clock.now, ...options });
  const { client, invites } = fixture;
  let count = 0;
  const invite = (path = invites) => client.invite(path, `user${count++}@example.com`);
  const read = () => client.v2("GET", invites);
  /** The statuses of several requests, one after the other. */
  const statuses = async (times: number, request = read) => {
    const seen: number[] = [];
    for (let index = 0; index < times; index++) seen.push((await request()).status);
    return seen;
  };
  return { ...fixture, clock, invite, statuses, read };
}

const rateLimit = ({ status, headers }: TestResponse) =>
  [status, headers.get("ratelimit-limit"), headers.get("ratelimit-remaining")].join(" ");

test("an invitation expires after exactly 30 days", async () => {
  await using fixture = await start();
  const { clock, organization, client, invites } = fixture;
  const { invitationId } = organization.invite("ada@example.com");
  const token = () => fixture.atlas.addAccessToken({ organization });
  const change = () => client.v2("PATCH", `${invites}/${invitationId}`, { roles: ["ORG_OWNER"] }, token());

  clock.now += 30 * 24 * 60 * minute - 1;
  expect((await change()).status).toBe(200);
  clock.now += 1;
  expect((await change()).status).toBe(404);
  expect(organization.find("ada@example.com")?.status).toBe("INVITATION_EXPIRED");
});

test("the throttle accepts ten invitations a minute, and refuses the next as recorded", async () => {
  await using fixture = await start({ invitationThrottle: {} });
  const { atlas, organization, client, invite, invites, users, statuses } = fixture;

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
  const invitation = `${invites}/${organization.users[0]?.invitationId}`;
  expect((await client.v2("DELETE", invitation)).status).toBe(204);

  // The limit is one of the source address, for all organizations.
  const other = atlas.addOrganization();
  const token = atlas.addAccessToken({ organization: other });
  expect((await client.invite(`/orgs/${other.id}/invites`, "ada@example.com", token)).status).toBe(400);
});

test.each([
  [false, [[400, 200, 200, 200, 400], [400], [200, 200, 200, 400]]],
  [true, [[400, 200, 200, 400, 400], [400], [200, 200, 400, 400]]],
])("the throttle has a window that slides (refused attempts count: %j)", async (refusedCount, expected) => {
  await using fixture = await start({ invitationThrottle: { limit: 3, perMinutes: 2, refusedCount } });
  const { client, clock, invite, statuses } = fixture;

  const first = await client.invite(fixture.invites, "not an address");
  const seen = [[first.status, ...(await statuses(4, invite))]];
  clock.now += 2 * minute - 1;
  seen.push(await statuses(1, invite));
  clock.now += 1;
  seen.push(await statuses(4, invite));

  expect(seen).toEqual(expected);
});

test("an empty bucket refuses as documented, and is refilled at the end of an interval", async () => {
  await using fixture = await start({ rateLimit: { capacity: 3, refill: 2, perSeconds: 60 } });
  const { atlas, client, clock, organization, invites, read, statuses } = fixture;
  const { invitationId } = organization.invite("ada@example.com");
  expect(rateLimit(await read())).toBe("200 3 2");
  expect(await statuses(2)).toEqual([200, 200]);

  clock.now += 4_500;
  const refused = await client.v2("DELETE", `${invites}/${invitationId}`);
  const path = `api/atlas/v2${invites}/${invitationId}`;
  expect(rateLimit(refused)).toBe("429 3 0");
  expect(refused.body).toEqual({
    detail: `Rate limit exceeded for ${path}. Please retry after 56 seconds. Request capacity: 3. Refill rate: 2 per 60 seconds.`,
    error: 429,
    errorCode: "RATE_LIMITED_TOKEN_BUCKET",
    parameters: [path, 56, 3, 2, 60],
    reason: "Too Many Requests",
  });
  expect(organization.invitations).toHaveLength(1);
  for (const [retryAfter, header] of [
    ["seconds", "56"],
    ["date", "Mon, 10 Aug 2026 03:04:00 GMT"],
    ["absent", null],
  ] as const) {
    atlas.settings.retryAfter = retryAfter;
    expect((await read()).headers.get("retry-after")).toBe(header);
  }

  for (const [ms, expected] of [
    [55_499, [429]],
    [1, [200, 200, 429]],
    [90_000, [200, 200, 429]],
    [30_000, [200, 200, 429]],
    [600_000, [200, 200, 200, 429]],
  ] as const) {
    clock.now += ms;
    expect(await statuses(expected.length)).toEqual(expected);
  }
  // A new limit starts with full buckets.
  atlas.settings.rateLimit = { capacity: 7, refill: 1, perSeconds: 1 };
  expect(rateLimit(await read())).toBe("200 7 6");
});

test("each organization has a bucket for invitations and one for users, which errors empty as well", async () => {
  await using fixture = await start();
  const { atlas, organization, client, invites, users, read } = fixture;
  const other = atlas.addOrganization();
  const token = atlas.addAccessToken({ organization: other });
  organization.accessList = [];
  expect(rateLimit(await read())).toBe("403  ");
  delete organization.accessList;

  expect(rateLimit(await client.v2("GET", `${invites}/x`))).toBe("404 500 499");
  expect(rateLimit(await client.sendWithDigest("GET", `/api/atlas/v1.0${invites}`))).toBe("200 500 498");
  expect(rateLimit(await client.v2("GET", users))).toBe("200 500 499");
  expect(rateLimit(await client.v2("GET", `/orgs/${other.id}/invites`, undefined, token))).toBe(
    "200 500 499",
  );
  // Without the setting, an empty bucket refuses nothing.
  await Promise.all(Array.from({ length: 498 }, read));
  expect(rateLimit(await read())).toBe("200 500 0");
});
