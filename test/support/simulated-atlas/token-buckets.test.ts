import { expect, test } from "vitest";
import { type SeenAnswer, startScene } from "./caller.ts";
import type { SimulatedAtlasOptions } from "./simulated-atlas.ts";

/** A scene with a clock and buckets of three that gain two a minute. */
async function startLimited(options: SimulatedAtlasOptions = {}) {
  const clock = { now: Date.parse("2026-08-10T03:03:37Z") };
  const rateLimit = { capacity: 3, refill: 2, perSeconds: 60 };
  const scene = await startScene({ now: () => clock.now, rateLimit, ...options });
  const read = (path = scene.invites) => scene.caller.v2("GET", path);
  return { ...scene, clock, read };
}

const seen = ({ status, headers }: SeenAnswer) => [
  status,
  headers.get("ratelimit-limit"),
  headers.get("ratelimit-remaining"),
];

test("an empty bucket refuses as recorded, without doing the work, and says when it is refilled", async () => {
  await using scene = await startLimited();
  const { invitationId } = scene.organization.invite("ada@example.com");
  for (const left of ["2", "1", "0"]) expect(seen(await scene.read())).toEqual([200, "3", left]);

  scene.clock.now += 4_500;
  const refused = await scene.caller.v2("DELETE", `${scene.invites}/${invitationId}`);

  const path = `api/atlas/v2${scene.invites}/${invitationId}`;
  expect(seen(refused)).toEqual([429, "3", "0"]);
  expect(refused.headers.get("retry-after")).toBe("56");
  expect(refused.headers.get("x-error-code")).toBe("RATE_LIMITED_TOKEN_BUCKET");
  expect(refused.body).toEqual({
    detail: `Rate limit exceeded for ${path}. Please retry after 56 seconds. Request capacity: 3. Refill rate: 2 per 60 seconds.`,
    error: 429,
    errorCode: "RATE_LIMITED_TOKEN_BUCKET",
    parameters: [path, 56, 3, 2, 60],
    reason: "Too Many Requests",
  });
  expect(scene.organization.invitations).toHaveLength(1);
});

test("a bucket is refilled by the clock, all at once after an interval, up to its capacity", async () => {
  await using scene = await startLimited();
  const statuses = async (count: number) => {
    const answers: number[] = [];
    for (let index = 0; index < count; index++) answers.push((await scene.read()).status);
    return answers;
  };

  expect(await statuses(4)).toEqual([200, 200, 200, 429]);
  scene.clock.now += 59_999;
  expect(await statuses(1)).toEqual([429]);
  scene.clock.now += 1;
  expect(await statuses(3)).toEqual([200, 200, 429]);
  scene.clock.now += 90_000;
  expect(await statuses(3)).toEqual([200, 200, 429]);
  scene.clock.now += 30_000;
  expect(await statuses(3)).toEqual([200, 200, 429]);
  scene.clock.now += 600_000;
  expect(await statuses(4)).toEqual([200, 200, 200, 429]);
});

test("both APIs of invitations share a bucket; users and other organizations have their own", async () => {
  await using scene = await startLimited();
  const other = scene.atlas.addOrganization();
  const token = scene.atlas.addAccessToken({ organization: other });

  await scene.caller.v1("GET", scene.invites);
  expect(seen(await scene.read())).toEqual([200, "3", "1"]);
  expect(seen(await scene.read(scene.users))).toEqual([200, "3", "2"]);
  const elsewhere = await scene.caller.plain("GET", `/api/atlas/v2/orgs/${other.id}/invites`, {
    headers: { Accept: "application/vnd.atlas.2023-01-01+json", Authorization: `Bearer ${token}` },
  });
  expect(seen(elsewhere)).toEqual([200, "3", "2"]);
});

test("an error of an endpoint costs as much as a success; a challenge and who is not let in cost nothing", async () => {
  await using scene = await startLimited();
  await scene.caller.plain("GET", `/api/atlas/v2${scene.invites}`);
  scene.organization.accessList = [];
  expect(seen(await scene.read())).toEqual([403, null, null]);
  delete scene.organization.accessList;

  expect(seen(await scene.read(`${scene.invites}/x`))).toEqual([404, "3", "2"]);
  expect(seen(await scene.read())).toEqual([200, "3", "1"]);
});

test("a 429 says when to come back in seconds, as a date, or not at all", async () => {
  await using scene = await startLimited({ rateLimit: { capacity: 0, refill: 1, perSeconds: 10 } });
  const retryAfter = async (form: "seconds" | "date" | "absent") => {
    scene.atlas.settings.retryAfter = form;
    return (await scene.read()).headers.get("retry-after");
  };
  scene.clock.now += 300;
  await scene.read();
  scene.clock.now += 500;

  expect(await retryAfter("seconds")).toBe("10");
  expect(await retryAfter("date")).toBe("Mon, 10 Aug 2026 03:03:48 GMT");
  expect(await retryAfter("absent")).toBeNull();
});

test("a limit that changes starts with full buckets", async () => {
  await using scene = await startLimited();
  await scene.read();
  await scene.read();

  scene.atlas.settings.rateLimit = { capacity: 7, refill: 1, perSeconds: 1 };
  expect(seen(await scene.read())).toEqual([200, "7", "6"]);
});

test("without a limit the documented headers count down, and nothing is refused at their end", async () => {
  await using scene = await startLimited({ rateLimit: undefined });
  const token = scene.atlas.addAccessToken({ organization: scene.organization });
  const read = () =>
    scene.caller.plain("GET", `/api/atlas/v2${scene.invites}`, {
      headers: { Accept: "application/vnd.atlas.2023-01-01+json", Authorization: `Bearer ${token}` },
    });

  expect(seen(await read())).toEqual([200, "500", "499"]);
  await Promise.all(Array.from({ length: 499 }, read));
  expect(seen(await read())).toEqual([200, "500", "0"]);
});
