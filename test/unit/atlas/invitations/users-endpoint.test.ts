import { describe, expect, test } from "vitest";
import type { PartialAccess } from "../../../../provider/atlas/invitations/access.ts";
import { UsersEndpoint } from "../../../../provider/atlas/invitations/users-endpoint.ts";
import type { Organization } from "../../../support/simulated-atlas/organization.ts";
import type {
  SimulatedAtlas,
  SimulatedAtlasOptions,
} from "../../../support/simulated-atlas/simulated-atlas.ts";
import { bounds, rejection } from "../client/client-fixture.ts";
import {
  ada,
  full,
  invitationsFixture,
  member as memberAccess,
  unknownId,
  usersBody,
} from "./invitations-fixture.ts";

/** The endpoint, and an organization without anybody. */
async function setUp(options?: SimulatedAtlasOptions) {
  const fixture = await invitationsFixture("users", options);
  const { atlas, client, organization, orgId } = fixture;
  const endpoint = new UsersEndpoint(client);
  return {
    ...fixture,
    endpoint,
    /** Adds so many members, and returns their addresses in the order of the list. */
    fill: (count: number) => {
      const names = Array.from({ length: count }, (_, index) => `person${index}@example.com`);
      for (const name of names) organization.addMember(name);
      return names;
    },
    names: async () => (await endpoint.listOrgUsers(orgId, bounds)).people.map(({ username }) => username),
    /** The pages that were requested. */
    pages: () =>
      fixture.verified().map(({ path }) => Number(new URL(path, atlas.url).searchParams.get("pageNum"))),
  };
}

/** Acts each time that a page of this number was answered, at most so many times. */
function afterPage(atlas: SimulatedAtlas, pageNum: number, act: () => void, times = 1): void {
  let left = times;
  atlas.onRequest(({ path, authenticated }, stage) => {
    if (stage !== "handled" || !authenticated || !path.includes(`pageNum=${pageNum}&`) || left === 0) return;
    left -= 1;
    act();
  });
}

describe("the list of users", () => {
  // The overlap takes the place of one entry of the second page, and of two of the third.
  test.each([
    [0, 1],
    [500, 1],
    [501, 2],
    [998, 2],
    [999, 3],
    [1203, 3],
    [1494, 3],
  ])("contains %i people once each, in %i pages", async (count, pages) => {
    await using fixture = await setUp();
    const names = fixture.fill(count);

    expect(await fixture.names()).toEqual(names);
    expect(fixture.pages()).toEqual(Array.from({ length: pages }, (_, index) => index + 1));
  });

  const leave = (index: number) => (organization: Organization) =>
    organization.removeMember(`person${index}@example.com`);
  const join = (organization: Organization) => void organization.addMember("new@example.com");

  test.each<
    [what: string, count: number, page: number, changes: ((_: Organization) => void)[], pages: number[]]
  >([
    ["the first leaves", 501, 1, [leave(0)], [1, 2, 1]],
    ["the last of the page leaves", 501, 1, [leave(499)], [1, 2, 1]],
    ["a person joins", 501, 1, [join], [1, 2, 1, 2]],
    ["the first leaves and a person joins", 501, 1, [leave(0), join], [1, 2, 1, 2]],
    ["the last of the page leaves and a person joins", 501, 1, [leave(499), join], [1, 2, 1, 2]],
    ["a person leaves and another one joins later", 1203, 2, [leave(600), join], [1, 2, 3, 1, 2, 3]],
    ["people behind what was read leave and join", 600, 1, [leave(550), join], [1, 2]],
  ])("contains everyone once, where %s between two pages", async (_, count, page, changes, pages) => {
    await using fixture = await setUp();
    fixture.fill(count);
    afterPage(fixture.atlas, page, () => {
      for (const change of changes) change(fixture.organization);
    });

    expect(await fixture.names()).toEqual(fixture.organization.users.map(({ username }) => username));
    expect(fixture.pages()).toEqual(pages);
  });

  const entry = { id: unknownId, username: ada, orgMembershipStatus: "ACTIVE", roles: {} };
  const pageOf = (count: number, last: object = entry) => [...Array(count - 1).fill(entry), last];

  /** What makes the pages inconsistent, each time that the list is read. */
  test.each<[what: string, options: SimulatedAtlasOptions, first?: unknown[], second?: unknown[]]>([
    ["a person leaves between the pages each time", {}],
    ["totalCount differs between the pages", { countsDiffer: true }],
    ["totalCount is greater than a short list", {}, pageOf(1), []],
    ["totalCount is greater than a full page", {}, pageOf(500), pageOf(1)],
    ["the second page repeats an entry without an id", {}, pageOf(500, {}), [{}]],
    ["the second page is empty after an entry without an id", {}, pageOf(500, {}), []],
  ])("is an error after three attempts, where %s", async (_, options, first, second) => {
    await using fixture = await setUp(options);
    const { atlas, organization } = fixture;
    fixture.fill(510);
    let left = 0;
    if (!first && !options.countsDiffer) {
      afterPage(atlas, 1, () => organization.removeMember(`person${left++}@example.com`), 9);
    }
    for (const [index, results] of [first, second].entries()) {
      const path = new RegExp(`pageNum=${index + 1}&`);
      if (results) atlas.fail({ path, status: 200, body: { results, totalCount: 1000 }, times: 3 });
    }

    expect(await rejection(fixture.names())).toMatchObject({ kind: "inconsistentPages" });
    expect(fixture.pages()).toEqual([1, 2, 1, 2, 1, 2]);
  });

  test("is complete in one page, where totalCount would differ on the next page", async () => {
    await using fixture = await setUp({ countsDiffer: true });
    const names = fixture.fill(500);

    expect(await fixture.names()).toEqual(names);
  });

  test.each([
    ["the second page fails", { path: /pageNum=2/, status: 501 }, { status: 501 }],
    [
      "a page has no totalCount",
      { status: 200, body: { results: [] } },
      { status: 200, message: expect.stringContaining("totalCount") },
    ],
  ])("is an error, where %s", async (_, fault, error) => {
    await using fixture = await setUp();
    fixture.fill(501);
    fixture.atlas.fail(fault);

    expect(await rejection(fixture.names())).toMatchObject({ kind: "api", ...error });
  });
});

describe("a change of a member", () => {
  const before = { ...full, roles: ["ORG_MEMBER"] };

  test.each<[what: string, change: PartialAccess, body: object]>([
    ["everything", full, usersBody(full)],
    ["the roles", { roles: ["ORG_OWNER"] }, { roles: { orgRoles: ["ORG_OWNER"] } }],
    ["the teams", { teamIds: [unknownId] }, { teamIds: [unknownId] }],
    ["the last team", { teamIds: [] }, { teamIds: [] }],
    // `roles` requires organization roles.
    [
      "the project roles",
      { groupRoleAssignments: full.groupRoleAssignments },
      usersBody({ roles: before.roles, groupRoleAssignments: full.groupRoleAssignments }),
    ],
    [
      "the last project role",
      { groupRoleAssignments: [] },
      { roles: { orgRoles: ["ORG_MEMBER"], groupRoleAssignments: [] } },
    ],
  ])("of %s sends nothing else", async (_, change, body) => {
    await using fixture = await setUp();
    const { endpoint, orgId, organization, path, logged } = fixture;
    const { userId } = organization.addMember(ada, before);
    const member = { username: ada, userId, orgMembershipStatus: "ACTIVE", ...before };

    expect(await endpoint.updateMember(orgId, member, change, bounds)).toEqual({ ...member, ...change });

    expect(organization.find(ada)).toMatchObject({ ...before, ...change });
    expect(fixture.verified()).toEqual([logged("PATCH", `${path}/${userId}`, 200, body)]);
  });
});

test("a change of a member whose access stays the same is sent after a wait", async () => {
  await using fixture = await setUp();
  const { endpoint, orgId, organization } = fixture;
  const { userId } = organization.addMember(ada);
  const member = { username: ada, userId, orgMembershipStatus: "ACTIVE", ...memberAccess };
  fixture.atlas.fail({ method: "PATCH", status: 429, headers: { "Retry-After": "60" } });

  expect(await endpoint.updateMember(orgId, member, full, bounds)).toMatchObject(full);
  expect(fixture.steps()).toEqual(["PATCH 429", "GET 200", "PATCH 200"]);
});

test.each(["update", "removal"])(
  "the %s of a member who left and was invited again is not sent after a wait",
  async (operation) => {
    await using fixture = await setUp();
    const { endpoint, orgId, organization } = fixture;
    const { userId } = organization.addMember(ada);
    const member = { username: ada, userId, orgMembershipStatus: "ACTIVE", ...memberAccess };
    const method = operation === "update" ? "PATCH" : "DELETE";
    fixture.atlas.fail({ method, status: 429, headers: { "Retry-After": "60" } });
    void fixture.clock
      .after(30_000)
      .then(() => organization.restore({ ...organization.invite(ada), userId }));

    const result =
      operation === "update"
        ? endpoint.updateMember(orgId, member, full, bounds)
        : endpoint.removeMember(orgId, member, bounds);

    expect(await result).toBeUndefined();
    expect(fixture.steps()).toEqual([`${method} 429`, "GET 200"]);
    expect(organization.invitations).toMatchObject([{ username: ada, userId, ...memberAccess }]);
  },
);
