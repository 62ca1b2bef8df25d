import * as v from "valibot";
import { describe, expect, test } from "vitest";
import type { Bounds } from "../../../../provider/atlas/bounds.ts";
import { AtlasApiError, AtlasError, AtlasNetworkError } from "../../../../provider/atlas/errors.ts";
import type { Access } from "../../../../provider/atlas/invitations/access.ts";
import {
  AtlasId,
  isConflict,
  isNotOwner,
  isUnreadableSuccess,
  type Listing,
  listingOf,
  type Person,
  StaleObservationError,
  unlessStale,
  unlessUnknown,
} from "../../../../provider/atlas/invitations/invitations-api.ts";
import { MemberDirectory } from "../../../../provider/atlas/invitations/member-directory.ts";
import type { InvitationsApiVersion } from "../../../../provider/settings/settings.ts";
import type { Fault } from "../../../support/simulated-atlas/faults.ts";
import type { Person as StoredPerson } from "../../../support/simulated-atlas/organization.ts";
import { bounds, clientFixture, invitationsApiOf, rejection } from "../client-fixture.ts";

function apiError(status: number, errorCode?: string): AtlasApiError {
  return new AtlasApiError({ status, errorCode, detail: "No.", method: "DELETE", path: "/orgs/1/invites/2" });
}

/** As another copy of the package raises it. */
function foreignError(status: number, errorCode?: string): Error {
  return Object.assign(new Error("No."), { name: "AtlasApiError", status, errorCode });
}

test("the result of a request is its result", async () => {
  expect(await unlessUnknown(Promise.resolve("result"))).toBe("result");
  expect(await unlessStale(Promise.resolve("result"))).toBe("result");
});

test.each([
  // 400 is documented, 404 was recorded.
  [400, "INVALID_INVITATION_ID"],
  [404, "INVALID_INVITATION_ID"],
  [400, "ALREADY_EXPIRED"],
  // Recorded 404s lack the code, or carry null or UNEXPECTED_ERROR.
  [404, undefined],
  [404, "UNEXPECTED_ERROR"],
  [404, "RESOURCE_NOT_FOUND"],
  [404, "USER_NOT_FOUND"],
  [404, "USERNAME_NOT_FOUND"],
  [404, "INVALID_USER_ID"],
  [404, "USER_NOT_IN_ORG"],
])("%i %s leaves it to a look-up whether the person is gone or has accepted", async (status, errorCode) => {
  expect(await unlessUnknown(Promise.reject(apiError(status, errorCode)))).toBeUndefined();
  expect(await unlessUnknown(Promise.reject(foreignError(status, errorCode)))).toBeUndefined();
});

test.each([
  [404, "ORG_NOT_FOUND"],
  [404, "INVALID_ORG_ID"],
  [404, "NOT_ATLAS_ORG"],
  [404, "TEAM_NOT_FOUND"],
  [404, "INVALID_TEAM_ID"],
  [404, "TEAM_NOT_IN_ORG"],
  [404, "GROUP_NOT_FOUND"],
  [404, "INVALID_GROUP_ID"],
  [404, "A_CODE_OF_TOMORROW"],
  [404, ""],
  [400, undefined],
  [400, "UNEXPECTED_ERROR"],
  [400, "USER_NOT_FOUND"],
  [404, "ALREADY_EXPIRED"],
  [400, "CANNOT_DELETE_GROUP_INVITATION"],
  [401, undefined],
  [401, "INVALID_INVITATION_ID"],
  [401, "NOT_ORG_OWNER"],
  [401, "USER_CANNOT_ACCESS_ORG"],
  [403, undefined],
  [403, "IP_ADDRESS_NOT_ON_ACCESS_LIST"],
  [403, "INVALID_INVITATION_ID"],
  [409, "USER_ALREADY_EXISTS"],
  [410, undefined],
  [410, "VERSION_GONE"],
  [429, "RATE_LIMITED"],
  [500, undefined],
  [500, "INVALID_INVITATION_ID"],
  [502, undefined],
  [200, undefined],
])("%i %s is an error, and never taken for gone", async (status, errorCode) => {
  const error = apiError(status, errorCode);

  await expect(unlessUnknown(Promise.reject(error))).rejects.toBe(error);
});

test("what is no answer of Atlas is an error, and never taken for gone", async () => {
  const errors = [
    new AtlasNetworkError("DELETE", "/orgs/1/invites/2", "no complete answer within 60 s"),
    new StaleObservationError("They accepted."),
    new TypeError("bug"),
    { status: 404 },
    "404",
    undefined,
  ];

  for (const error of errors) await expect(unlessUnknown(Promise.reject(error))).rejects.toBe(error);
});

test("a request that was based on what is no longer so has no result", async () => {
  expect(await unlessStale(Promise.reject(new StaleObservationError("They accepted.")))).toBeUndefined();
});

test("every other error of such a request is an error", async () => {
  for (const error of [new AtlasError("They accepted."), apiError(404), new TypeError("bug"), undefined]) {
    await expect(unlessStale(Promise.reject(error))).rejects.toBe(error);
  }
});

test("an outdated request is an error of ours that names its class", () => {
  const error = new StaleObservationError("They accepted.");

  expect(error).toBeInstanceOf(AtlasError);
  expect(String(error)).toBe("OutdatedError: They accepted.");
});

test.each([
  [409, undefined],
  [409, "USER_ALREADY_EXISTS"],
  [400, "USER_ALREADY_IN_ORG"],
  [400, "USER_ALREADY_IN_GROUP"],
  [400, "DUPLICATE_INVITATION"],
  [400, "DEFAULT_INVITATION_EXCEPTION"],
])("%i %s may mean that somebody else was faster", (status, errorCode) => {
  expect(isConflict(apiError(status, errorCode))).toBe(true);
  expect(isConflict(foreignError(status, errorCode))).toBe(true);
});

test.each([
  [400, undefined],
  [400, "INVALID_EMAIL_ADDRESS"],
  [400, "MAX_USERS_PER_ORG_EXCEEDED"],
  [400, "DEFAULT_INVITATION_EXCEPTION_OF_ANOTHER_KIND"],
  [403, "USER_ALREADY_IN_ORG"],
  [404, "USER_ALREADY_IN_ORG"],
  [500, "DEFAULT_INVITATION_EXCEPTION"],
])("%i %s does not mean that somebody else was faster", (status, errorCode) => {
  expect(isConflict(apiError(status, errorCode))).toBe(false);
});

test("what is no answer of Atlas is no conflict", () => {
  expect(isConflict(new AtlasNetworkError("POST", "/orgs/1/invites", "cut"))).toBe(false);
  expect(isConflict({ status: 409 })).toBe(false);
  expect(isConflict(undefined)).toBe(false);
});

test("an answer of success that cannot be read may have been carried out", () => {
  expect(isUnreadableSuccess(apiError(200))).toBe(true);
  expect(isUnreadableSuccess(apiError(201))).toBe(true);
  expect(isUnreadableSuccess(apiError(302))).toBe(false);
  expect(isUnreadableSuccess(apiError(409))).toBe(false);
  expect(isUnreadableSuccess(new AtlasNetworkError("POST", "/orgs/1/invites", "cut"))).toBe(false);
});

test.each([401, 403])("a key that may only read is told so with %i", (status) => {
  expect(isNotOwner(apiError(status, "NOT_ORG_OWNER"))).toBe(true);
  expect(isNotOwner(apiError(status, "USER_UNAUTHORIZED"))).toBe(true);
  expect(isNotOwner(apiError(status, "USER_CANNOT_ACCESS_ORG"))).toBe(false);
  expect(isNotOwner(apiError(status))).toBe(false);
});

test("what is neither 401 nor 403 is not about the role of a key", () => {
  expect(isNotOwner(apiError(404, "NOT_ORG_OWNER"))).toBe(false);
  expect(isNotOwner(new AtlasError("NOT_ORG_OWNER"))).toBe(false);
});

test.each(["6a793f89c0eb9e7a177165b6", "6A793F89C0EB9E7A177165B6"])("%s is an id of Atlas", (id) => {
  expect(v.is(AtlasId, id)).toBe(true);
});

test.each([
  "",
  ".",
  "..",
  "../users",
  "6a793f89c0eb9e7a177165b",
  "6a793f89c0eb9e7a177165b6/..",
  "%2e%2e",
  null,
  7,
])("%j is no id of Atlas", (id) => {
  expect(v.is(AtlasId, id)).toBe(false);
});

test("an entry of a list that cannot be used spoils no other, and is named as far as it says who it is", () => {
  const Entry = v.object({ id: v.string(), username: v.string(), roles: v.array(v.string()) });
  const personOf = ({ username, roles }: v.InferOutput<typeof Entry>): Person => ({
    username,
    orgMembershipStatus: "ACTIVE",
    roles,
    teamIds: [],
    groupRoleAssignments: [],
  });
  const entries = [
    { id: "1", username: "Ada@example.com", roles: null },
    { id: "2", username: null, roles: [] },
    { id: 3, username: "bob@example.com", roles: [] },
    { id: "4", username: "eve@example.com", roles: ["ORG_OWNER"] },
    null,
    "somebody",
  ];

  const { people, unusable } = listingOf(entries, Entry, personOf);

  expect(people.map(({ username }) => username)).toEqual(["eve@example.com"]);
  expect(unusable).toEqual([
    { username: "ada@example.com", id: "1", reason: "its roles is missing or of another kind" },
    { username: undefined, id: "2", reason: "its username is missing or of another kind" },
    { username: "bob@example.com", id: undefined, reason: "its id is missing or of another kind" },
    { username: undefined, id: undefined, reason: "its content is missing or of another kind" },
    { username: undefined, id: undefined, reason: "its content is missing or of another kind" },
  ]);
});

// What every generation does alike, and the lifecycle relies on.

const ada = "ada@example.com";
const bob = "bob@example.com";
const team = "5f0000000000000000000001";
const project = "5f0000000000000000000002";
const somebody = "6a793f89c0eb9e7a177165b6";
const none: Access = { roles: ["ORG_MEMBER"], teamIds: [], groupRoleAssignments: [] };
const full: Access = {
  roles: ["ORG_MEMBER", "ORG_READ_ONLY"],
  teamIds: [team],
  groupRoleAssignments: [{ groupId: project, roles: ["GROUP_OWNER", "GROUP_READ_ONLY"] }],
};
const noRecheck = () => Promise.reject(new Error("It was rechecked."));

describe.each<InvitationsApiVersion>(["v1.0", "v2", "users"])("the API of invitations, %s,", (generation) => {
  async function startScene(...[options]: Parameters<typeof clientFixture>) {
    const scene = await clientFixture(options);
    const api = invitationsApiOf(generation, scene.client, scene.clock);
    const orgId = scene.organization.id;
    const listings = (by = api): Promise<Listing[]> =>
      by.lookUp((lists) => Promise.all(lists.map((list) => list(orgId, bounds))));
    /** Looks whether Ada is known, as the lifecycle does. */
    const recheck = async (bounds: Bounds) => {
      const people = new MemberDirectory(api, scene.clock, () => {});
      if (await people.find({ orgId, username: ada }, bounds))
        throw new StaleObservationError("She is known.");
    };
    return { ...scene, api, orgId, listings, recheck };
  }
  const isUsers = generation === "users";
  const idsOf = ({ invitationId, userId }: StoredPerson) => (isUsers ? { userId } : { invitationId });

  test("lists everybody last, and pending people before", async () => {
    await using scene = await startScene();
    scene.organization.invite(ada);
    scene.organization.addMember(bob);

    const listings = await scene.listings();

    const names = listings.map(({ people }) => people.map(({ username }) => username));
    expect(names).toEqual(isUsers ? [[ada, bob]] : [[ada], [ada, bob]]);
    expect(listings.every(({ unusable }) => unusable.length === 0)).toBe(true);
  });

  test("invites with all that is declared", async () => {
    await using scene = await startScene();

    const person = await scene.api.createOrgInvite(scene.orgId, ada, full, noRecheck, bounds);

    const [stored] = scene.organization.invitations;
    expect(stored).toMatchObject({ username: ada, ...full });
    expect(person).toEqual({
      username: ada,
      orgMembershipStatus: "PENDING",
      ...full,
      ...idsOf(stored as StoredPerson),
      createdAt: stored?.createdAt,
      expiresAt: stored?.expiresAt,
      // Recorded: the public key, where an API key invites.
      inviterUsername: scene.key.publicKey,
      orgName: isUsers ? undefined : "Example",
    });
    expect(scene.verified().map(({ method }) => method)).toEqual(["POST"]);
    expect(scene.atlas.mails).toHaveLength(1);
  });

  test("sends no field of an invitation that is not declared", async () => {
    await using scene = await startScene();

    await scene.api.createOrgInvite(scene.orgId, ada, { roles: ["ORG_MEMBER"] }, noRecheck, bounds);

    expect(scene.verified().map(({ body }) => body)).toEqual([
      { username: ada, roles: isUsers ? { orgRoles: ["ORG_MEMBER"] } : ["ORG_MEMBER"] },
    ]);
    expect(scene.organization.invitations).toMatchObject([none]);
  });

  test("tells an invitation as it is, not as it was asked for", async () => {
    await using scene = await startScene({ addsRoles: ["ORG_READ_ONLY"] });

    const { roles } = await scene.api.createOrgInvite(scene.orgId, ada, none, noRecheck, bounds);

    expect(roles).toEqual(["ORG_MEMBER", "ORG_READ_ONLY"]);
  });

  test.each([
    ["before Atlas has done the work", { cut: "before" }],
    ["by a proxy", { status: 502, body: "<html>" }],
  ] as const)("sends an invitation again that was lost %s", async (_, fault) => {
    await using scene = await startScene();
    scene.atlas.fail({ ...fault, method: "POST" });

    await scene.api.createOrgInvite(scene.orgId, ada, none, scene.recheck, bounds);

    expect(scene.atlas.mails).toHaveLength(1);
    expect(scene.verified().filter(({ method }) => method === "POST")).toHaveLength(2);
  });

  test.each<[string, (deadline: Promise<void>) => Fault]>([
    ["after Atlas has done the work", () => ({ cut: "after" })],
    ["while Atlas is at work", (until) => ({ cut: "during", until })],
    ["by a proxy, while Atlas is at work", (until) => ({ status: 504, when: "during", until })],
    ["in the middle of the answer", () => ({ damage: "half body" })],
  ])("sends no second e-mail where an invitation is lost %s", async (_, faultUntil) => {
    await using scene = await startScene();
    // As long as Atlas takes for an invitation (recorded).
    scene.atlas.fail({ ...faultUntil(scene.clock.after(358)), method: "POST" });

    const invitation = scene.api.createOrgInvite(scene.orgId, ada, none, scene.recheck, bounds);

    await expect(invitation).rejects.toThrow(StaleObservationError);
    expect(scene.atlas.mails).toHaveLength(1);
    expect(scene.verified().filter(({ method }) => method === "POST")).toHaveLength(1);
  });

  test("does not invite who was invited while an invitation waited for the throttle", async () => {
    await using scene = await startScene();
    scene.atlas.fail({ method: "POST", status: 400, body: { errorCode: "RATE_LIMITED_IP" } });
    void scene.clock.after(30_000).then(() => scene.organization.invite(ada));

    const invitation = scene.api.createOrgInvite(scene.orgId, ada, none, scene.recheck, bounds);

    await expect(invitation).rejects.toThrow(StaleObservationError);
    expect(scene.slept()).toBe(60_000);
    expect(scene.atlas.mails).toHaveLength(1);
  });

  test("lets nobody wait for the throttle who sends no e-mail", async () => {
    await using scene = await startScene();
    scene.atlas.fail({ method: "POST", status: 400, body: { errorCode: "RATE_LIMITED_IP" } });
    await scene.api.createOrgInvite(scene.orgId, bob, none, scene.recheck, bounds);

    await scene.listings();

    expect(scene.slept()).toBe(60_000);
  });

  test.each([
    ["roles", { roles: ["ORG_OWNER"] }],
    ["teams", { teamIds: [] }],
    ["project roles", { groupRoleAssignments: [] }],
    ["everything", { roles: ["ORG_OWNER"], teamIds: [], groupRoleAssignments: [] }],
  ])("changes the %s of an invitation, and nothing else", async (_, change) => {
    await using scene = await startScene();
    const stored = scene.organization.invite(ada, full);
    const invitee = { username: ada, ...idsOf(stored), roles: full.roles };

    const person = await scene.api.updateOrgInvite(scene.orgId, invitee, change, bounds);

    expect(person).toMatchObject({ username: ada, ...full, ...change, ...idsOf(stored) });
    expect(scene.organization.invitations).toMatchObject([
      { ...full, ...change, createdAt: stored.createdAt },
    ]);
    expect(scene.atlas.mails).toHaveLength(1);
  });

  test("cancels an invitation by a request without a body", async () => {
    await using scene = await startScene();
    const stored = scene.organization.invite(ada);
    const invitee = { username: ada, ...idsOf(stored), roles: none.roles };

    expect(await scene.api.deleteOrgInvite(scene.orgId, invitee, bounds)).toBe(true);

    expect(scene.organization.users).toEqual([]);
    expect(scene.verified().at(-1)).toMatchObject({ method: "DELETE", status: 204 });
    expect(scene.verified().at(-1)?.body).toBeUndefined();
  });

  test("cannot address an invitation of which it knows no id of its own, and sends nothing then", async () => {
    await using scene = await startScene();
    const { invitationId, userId } = scene.organization.invite(ada);
    const invitee = { username: ada, roles: none.roles, ...(isUsers ? { invitationId } : { userId }) };

    expect(await scene.api.updateOrgInvite(scene.orgId, invitee, full, bounds)).toBeUndefined();
    expect(await scene.api.deleteOrgInvite(scene.orgId, invitee, bounds)).toBeUndefined();

    expect(scene.atlas.requests).toEqual([]);
    expect(scene.organization.invitations).toMatchObject([none]);
  });

  test.each(["documented", 400, 404, "bare"] as const)(
    "leaves alone who has accepted or is gone, where Atlas answers as %s",
    async (goneAnswer) => {
      await using scene = await startScene({ goneAnswer });
      const stored = scene.organization.invite(ada);
      scene.organization.accept(ada);

      for (const ids of [idsOf(stored), { invitationId: somebody, userId: somebody }]) {
        const invitee = { username: ada, ...ids, roles: none.roles };
        expect(await scene.api.updateOrgInvite(scene.orgId, invitee, full, bounds)).toBeUndefined();
        expect(await scene.api.deleteOrgInvite(scene.orgId, invitee, bounds)).toBeUndefined();
      }

      expect(scene.organization.users).toMatchObject([{ username: ada, status: "ACTIVE", ...none }]);
    },
  );

  test("changes and removes a member", async () => {
    await using scene = await startScene();
    const { userId } = scene.organization.addMember(ada);
    const member = { username: ada, userId, orgMembershipStatus: "ACTIVE", ...none };

    expect(await scene.api.updateMember(scene.orgId, member, full, bounds)).toMatchObject(full);
    expect(scene.organization.find(ada)).toMatchObject({ status: "ACTIVE", ...full });
    expect(await scene.api.removeMember(scene.orgId, member, bounds)).toBe(true);
    expect(scene.organization.users).toEqual([]);

    const users = `/api/atlas/v2/orgs/${scene.orgId}/users/${userId}`;
    expect(scene.verified().map(({ method, path }) => [method, path])).toEqual([
      ["PATCH", users],
      ["DELETE", users],
    ]);
  });

  test.each([
    [401, "UNEXPECTED_ERROR"],
    [401, "USER_CANNOT_ACCESS_ORG"],
    [403, "IP_ADDRESS_NOT_ON_ACCESS_LIST"],
    [403, "CANNOT_DEMOTE_LAST_ORG_OWNER"],
    [404, "ORG_NOT_FOUND"],
    [404, "TEAM_NOT_FOUND"],
    [404, "GROUP_NOT_FOUND"],
    [410, "VERSION_GONE"],
    [501, "UNEXPECTED_ERROR"],
  ])("takes nobody for gone where Atlas answers %i %s", async (status, errorCode) => {
    await using scene = await startScene();
    const ids = { username: ada, invitationId: somebody, userId: somebody };
    const invitee = { ...ids, orgMembershipStatus: "ACTIVE", ...none };
    const body = { error: status, errorCode, detail: "No." };
    scene.atlas.fail({ status, body, times: Number.POSITIVE_INFINITY });

    const requests: Promise<unknown>[] = [
      scene.listings(),
      scene.api.createOrgInvite(scene.orgId, ada, full, noRecheck, bounds),
      scene.api.updateOrgInvite(scene.orgId, invitee, full, bounds),
      scene.api.deleteOrgInvite(scene.orgId, invitee, bounds),
      scene.api.updateMember(scene.orgId, invitee, full, bounds),
      scene.api.removeMember(scene.orgId, invitee, bounds),
    ];
    for (const error of await Promise.all(requests.map(rejection))) {
      expect(error).toMatchObject({ name: "AtlasApiError", status, errorCode });
    }
  });

  test("takes nobody for gone in an organization that does not exist, or is another's", async () => {
    await using scene = await startScene();
    const invitee = { username: ada, invitationId: somebody, userId: somebody, roles: none.roles };

    const strange = scene.api.deleteOrgInvite("000000000000000000000000", invitee, bounds);
    const foreign = scene.api.deleteOrgInvite(scene.atlas.addOrganization().id, invitee, bounds);

    expect(await rejection(strange)).toMatchObject({ status: 404, errorCode: "ORG_NOT_FOUND" });
    expect(await rejection(foreign)).toMatchObject({ status: 401, errorCode: "USER_CANNOT_ACCESS_ORG" });
  });

  test.each([401, 403] as const)(
    "shows everybody to a key that may only read, by %i",
    async (notOwnerAnswer) => {
      for (const notOwnerCode of ["NOT_ORG_OWNER", "USER_UNAUTHORIZED"] as const) {
        await using scene = await startScene({ notOwnerAnswer, notOwnerCode });
        scene.organization.invite(ada);
        scene.organization.addMember(bob);
        const key = scene.atlas.addApiKey({ organization: scene.organization, roles: ["ORG_READ_ONLY"] });
        const api = invitationsApiOf(generation, scene.connectedBy(key), scene.clock);

        const listings = await scene.listings(api);

        const people = listings.flatMap(({ people }) => people);
        expect(people.map((person) => [person.username, person.orgMembershipStatus])).toEqual([
          [ada, "PENDING"],
          [bob, "ACTIVE"],
        ]);
        const [invitee] = people as [Person];
        const writes: Promise<unknown>[] = [
          api.createOrgInvite(scene.orgId, "eve@example.com", none, noRecheck, bounds),
          api.updateOrgInvite(scene.orgId, invitee, full, bounds),
          api.deleteOrgInvite(scene.orgId, invitee, bounds),
        ];
        for (const error of await Promise.all(writes.map(rejection))) {
          expect(error).toMatchObject({ status: notOwnerAnswer, errorCode: notOwnerCode });
          expect(error.message).toContain("needs the role Organization Owner in this organization");
        }
        expect(scene.organization.users).toMatchObject([none, none]);
        expect(scene.atlas.mails).toHaveLength(1);
      }
    },
  );

  test.each(["..", "", "../users"])("puts no %j in place of an id into a path", async (id) => {
    await using scene = await startScene();
    scene.organization.invite(ada);
    scene.organization.addMember(bob);
    for (const username of [ada, bob, "eve@example.com"]) {
      scene.organization.rewrite(username, (view) => ({ ...view, id }));
    }

    const listings = await scene.listings();
    expect(listings.flatMap(({ people }) => people)).toEqual([]);
    expect(new Set(listings.flatMap(({ unusable }) => unusable.map(({ username }) => username)))).toEqual(
      new Set([ada, bob]),
    );

    const invitation = scene.api.createOrgInvite(scene.orgId, "eve@example.com", none, noRecheck, bounds);
    const error = await rejection(invitation);
    expect(error.message).toContain("its id is missing or of another kind");
    expect(isUnreadableSuccess(error)).toBe(true);
  });
});
