import { expect, test } from "vitest";
import type { Auth } from "../../../../provider/atlas/client/auth.ts";
import { DigestAuth } from "../../../../provider/atlas/credentials/digest-auth.ts";
import { StaleObservationError } from "../../../../provider/atlas/invitations/error-meaning.ts";
import type { Person } from "../../../../provider/atlas/invitations/invitations-api.ts";
import { MemberDirectory } from "../../../../provider/atlas/invitations/member-directory.ts";
import { SunsetFallback } from "../../../../provider/atlas/invitations/sunset-fallback.ts";
import { bounds, rejection } from "../client/client-fixture.ts";
import { ada, invitationsApiOf, invitationsFixture, member, noRecheck } from "./invitations-fixture.ts";

const { roles } = member;
const owner = { roles: ["ORG_OWNER"] };

/** Two organizations on one connection, which uses v2 until it is retired, and then users. */
async function setUp() {
  const fixture = await invitationsFixture("v2");
  const { atlas, clock, organization, orgId } = fixture;
  const other = atlas.addOrganization({ name: "Other" });
  const auths = new Map<string, Auth>([
    [organization.id, new DigestAuth(fixture.key)],
    [other.id, new DigestAuth(atlas.addApiKey({ organization: other }))],
  ]);
  const auth: Auth = {
    send: (request, sendOnce) => {
      const [, orgId = ""] = /\/orgs\/([^/]+)\//.exec(request.target) ?? [];
      return (auths.get(orgId) as Auth).send(request, sendOnce);
    },
  };
  const client = fixture.connected({ auth });
  const switches: string[] = [];
  const api = new SunsetFallback(
    invitationsApiOf("v2", client, clock.now),
    invitationsApiOf("users", client, clock.now),
    () => switches.push("users"),
  );
  const directory = new MemberDirectory(api, clock, () => {});
  return {
    ...fixture,
    other,
    directory,
    /** An entry for each switch. */
    switches,
    find: (username = ada, inOrganization = organization) =>
      directory.find({ orgId: inOrganization.id, username }, bounds),
    invite: (recheck = noRecheck, username = ada) =>
      api.createOrgInvite(orgId, username, { roles }, recheck, bounds),
    update: (ids: Pick<Person, "invitationId" | "userId">) =>
      api.updateOrgInvite(orgId, { username: ada, roles, ...ids }, owner, bounds),
    remove: (ids: Pick<Person, "invitationId" | "userId">) =>
      api.deleteOrgInvite(orgId, { username: ada, roles, ...ids }, bounds),
    /** The requests since the last call, without challenges: the method, the resource and the status. */
    steps: () => {
      const requests = atlas.requests.filter(({ challenge }) => !challenge);
      const steps = requests.map(({ method, path, status, fault }) => {
        const [, orgId, resource] = /\/orgs\/([^/]+)\/(\w+)/.exec(path) ?? [];
        return `${method} ${resource} ${status ?? fault}${orgId === other.id ? " other" : ""}`;
      });
      atlas.forget();
      return steps;
    },
  };
}

test("a look-up that is answered 410 starts again on the users API, which is used from then on", async () => {
  await using fixture = await setUp();
  const { userId } = fixture.organization.invite(ada);
  fixture.atlas.sunset();

  expect(await fixture.find()).toMatchObject({ orgMembershipStatus: "PENDING", userId });
  expect(fixture.steps()).toEqual(["GET invites 410", "GET users 200"]);

  fixture.clock.pass(30_000);
  await fixture.find();
  expect(fixture.steps()).toEqual(["GET users 200"]);
  expect(fixture.switches).toEqual(["users"]);
});

test("a look-up that is under way during the switch is finished on the lists of one version", async () => {
  await using fixture = await setUp();
  fixture.organization.invite(ada);
  fixture.organization.accept(ada);
  fixture.other.invite(ada);
  const isOther = (path: string) => path.includes(fixture.other.id);
  fixture.atlas.sunset(({ path }) => isOther(path));
  let found: unknown;
  const stop = fixture.atlas.onRequest(async ({ path, authenticated }, stage) => {
    // Between the two lists of one look-up.
    if (stage !== "handled" || !authenticated || isOther(path)) return;
    stop();
    found = await fixture.find(ada, fixture.other);
  });

  expect(await fixture.find()).toMatchObject({ orgMembershipStatus: "ACTIVE" });
  expect(found).toMatchObject({ orgMembershipStatus: "PENDING" });
  const steps = ["GET invites 200", "GET invites 410 other", "GET users 200 other", "GET users 200"];
  expect(fixture.steps()).toEqual(steps);
  expect(fixture.switches).toEqual(["users"]);
});

test.each<[which: string, isRetired: (count: number) => boolean]>([
  ["every second", (count) => count % 2 === 0],
  ["every other", (count) => count % 2 === 1],
  ["every third", (count) => count % 3 === 0],
  ["every later", (count) => count > 4],
])("finds everyone in both organizations where %s request is answered 410", async (_, isRetired) => {
  await using fixture = await setUp();
  const organizations = [fixture.organization, fixture.other];
  const names = Array.from({ length: 12 }, (_, index) => `person${index}@example.com`);
  for (const organization of organizations) {
    for (const name of names) organization.invite(name);
    for (const name of names.slice(0, 6)) organization.accept(name);
  }
  let count = 0;
  fixture.atlas.sunset(() => isRetired(++count));

  for (let round = 0; round < 3; round++) {
    const finds = names.flatMap((name) =>
      organizations.map((organization) => fixture.find(name, organization)),
    );
    const statuses = (await Promise.all(finds)).map((person) => person?.orgMembershipStatus);
    expect(statuses).toEqual([...Array(12).fill("ACTIVE"), ...Array(12).fill("PENDING")]);
    fixture.clock.pass(30_000);
  }
  expect(fixture.switches).toEqual(["users"]);
});

test("concurrent invitations that are answered 410 switch once, and are sent once each", async () => {
  await using fixture = await setUp();
  fixture.atlas.sunset();

  const names = ["ada@example.com", "bob@example.com", "eve@example.com"];
  const people = await Promise.all(names.map((name) => fixture.invite(noRecheck, name)));

  expect(fixture.switches).toEqual(["users"]);
  const { invitations } = fixture.organization;
  expect(new Set(people.map(({ userId }) => userId))).toEqual(
    new Set(invitations.map(({ userId }) => userId)),
  );
  expect(fixture.atlas.mails).toHaveLength(3);
});

test("an invitation whose answer was lost is not sent again where its recheck is answered 410", async () => {
  await using fixture = await setUp();
  fixture.atlas.fail({ method: "POST", cut: "during", until: fixture.clock.after(358) });
  fixture.atlas.sunset(({ method }) => method === "GET");
  const recheck = fixture.directory.expectUninvited({ orgId: fixture.orgId, username: ada }, {});

  await expect(fixture.invite(recheck)).rejects.toThrow(StaleObservationError);

  expect(fixture.steps()).toEqual(["POST invites cut", "GET invites 410", "GET users 200"]);
  expect(fixture.atlas.mails).toHaveLength(1);
});

test("a change and a cancellation that are answered 410 are left to a look-up without the id of the user", async () => {
  await using fixture = await setUp();
  const { invitationId } = fixture.organization.invite(ada);
  fixture.atlas.sunset();

  expect(await fixture.update({ invitationId })).toBeUndefined();
  expect(await fixture.remove({ invitationId })).toBeUndefined();
  expect(fixture.steps()).toEqual(["PATCH invites 410"]);

  expect(await fixture.remove((await fixture.find()) as Person)).toBe(true);
  expect(fixture.organization.users).toEqual([]);
});

test("a change that is answered 410 is finished by the users API with the id of the user", async () => {
  await using fixture = await setUp();
  const { invitationId, userId } = fixture.organization.invite(ada);
  fixture.atlas.sunset();

  expect(await fixture.update({ invitationId, userId })).toMatchObject(owner);

  expect(fixture.steps()).toEqual(["PATCH invites 410", "GET users 200", "PATCH users 200"]);
});

test.each([
  [410, "PERSONAL_API_KEYS_DEPRECATED"],
  [404, "VERSION_GONE"],
])("%i %s is an error, and does not switch", async (status, errorCode) => {
  await using fixture = await setUp();
  fixture.atlas.fail({ path: /invites/, status, body: { errorCode, detail: "No." } });

  expect(await rejection(fixture.find())).toMatchObject({ cause: { status, errorCode } });
  expect(await fixture.find()).toBeUndefined();

  expect(fixture.switches).toEqual([]);
  expect(fixture.steps()).toEqual([`GET invites ${status}`, "GET invites 200", "GET users 200"]);
});

test("a 410 of the users API is an error, before and after the switch", async () => {
  await using fixture = await setUp();
  const body = { errorCode: "VERSION_GONE", detail: "Gone." };
  fixture.atlas.fail({ path: /users/, status: 410, body, times: Number.POSITIVE_INFINITY });

  for (const _ of [1, 2]) {
    expect(await rejection(fixture.find())).toMatchObject({ cause: { status: 410 } });
    expect(fixture.switches).toEqual(["users"]);
  }
  expect(fixture.steps()).toEqual(["GET invites 200", "GET users 410", "GET users 410", "GET users 410"]);
});
