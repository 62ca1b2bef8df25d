import { describe, expect, test } from "vitest";
import { AtlasError } from "../../../../provider/atlas/errors.ts";
import { StaleObservationError } from "../../../../provider/atlas/invitations/error-meaning.ts";
import type { Listing, PeopleList, Person } from "../../../../provider/atlas/invitations/invitations-api.ts";
import {
  MemberDirectory,
  type PersonQuery,
} from "../../../../provider/atlas/invitations/member-directory.ts";
import type { Notice } from "../../../../provider/atlas/notice.ts";
import { deferred } from "../../../support/deferred.ts";
import type { Organization } from "../../../support/simulated-atlas/organization.ts";
import type { SimulatedAtlasOptions } from "../../../support/simulated-atlas/simulated-atlas.ts";
import { SimulatedClock } from "../../../support/simulated-clock.ts";
import { bounds, rejection } from "../client/client-fixture.ts";
import {
  member as access,
  ada,
  bob,
  invitationsApiOf,
  invitationsFixture,
  project,
  unknownId,
  VERSIONS,
} from "./invitations-fixture.ts";

const pending = (username: string): Person => ({ username, orgMembershipStatus: "PENDING", ...access });
const member = (username: string): Person => ({ username, orgMembershipStatus: "ACTIVE", ...access });

describe("the cache", () => {
  const bothLists = ["invitations of org", "users of org"];

  /** A list of pending people and a list of users, and a clock. */
  function setUp(invitations: Person[], users: Person[]) {
    const requested: string[] = [];
    const clock = new SimulatedClock();
    let failure: Error | undefined;
    let answered: Promise<unknown> = Promise.resolve();
    const list =
      (name: string, people: Person[]): PeopleList =>
      async (orgId) => {
        requested.push(`${name} of ${orgId}`);
        const listing: Listing = { people: [...people], unusable: [] };
        await answered;
        if (failure) throw failure;
        return listing;
      };
    const lists = { invitations: list("invitations", invitations), users: list("users", users) };
    const directory = new MemberDirectory({ lookUp: (find) => find(lists) }, clock, () => {});
    return {
      directory,
      clock,
      find: (username: string, deadline = 1_000, options = {}) =>
        directory.find({ orgId: "org", username }, { deadline }, options),
      invalidate: (username: string) => directory.invalidate({ orgId: "org", username }),
      /** The lists that are requested from now on fail. */
      fail: (error: Error | undefined) => {
        failure = error;
      },
      /** The lists that are requested from now on are answered then. */
      answerAfter: (promise: Promise<unknown>) => {
        answered = promise;
      },
      /** The lists that were requested since the last call. */
      requested: () => requested.splice(0),
    };
  }

  test("requests the list of users only for a person whom the list of invitations does not contain", async () => {
    const { find, requested } = setUp([pending(ada)], [pending(ada), member(bob)]);

    expect(await find("ADA@example.com")).toEqual(pending(ada));
    expect(requested()).toEqual(["invitations of org"]);
    expect(await find(bob)).toEqual(member(bob));
    expect(requested()).toEqual(["users of org"]);
    expect(await find("joan@example.com")).toBeUndefined();
    expect(requested()).toEqual([]);
  });

  test("keeps a list for 30 s after its request, whatever the wall clock says", async () => {
    const { find, requested, clock } = setUp([pending(ada)], []);
    await find(ada);
    requested();

    clock.setBack(3_600_000);
    await clock.advance(29_999);
    await find(ada, 60_000);
    expect(requested()).toEqual([]);
    await clock.advance(1);
    await find(ada, 60_000);
    expect(requested()).toEqual(["invitations of org"]);
  });

  test("looks an invalidated person, and nobody else, up in a newer list", async () => {
    const { directory, find, requested } = setUp([pending(ada), pending(bob)], []);
    await find(ada);
    directory.invalidate({ orgId: "org", username: "Ada@example.com" });
    directory.invalidate({ orgId: "other", username: bob });
    requested();

    await find(bob);
    expect(requested()).toEqual([]);
    await find(ada);
    await find(ada);
    expect(requested()).toEqual(["invitations of org"]);
  });

  test("does not use a list that was under way at the invalidation", async () => {
    const { find, invalidate, requested } = setUp([pending(ada)], []);

    const before = find(ada);
    invalidate(ada);
    await Promise.all([before, find(ada)]);

    expect(requested()).toEqual(["invitations of org", "invitations of org"]);
  });

  test("keeps no failure: it fails the look-ups that wait for it, and the next one requests again", async () => {
    const { find, requested, fail } = setUp([pending(ada)], []);
    fail(new TypeError("a bug"));

    for (const found of await Promise.allSettled([find(ada), find(ada)])) {
      expect(found).toMatchObject({ status: "rejected", reason: new TypeError("a bug") });
    }
    expect(requested()).toEqual(["invitations of org"]);
    fail(undefined);
    expect(await find(ada)).toEqual(pending(ada));
    expect(requested()).toEqual(["invitations of org"]);
  });

  test("keeps a newer list when an older one fails", async () => {
    const { find, invalidate, requested, answerAfter, fail } = setUp([pending(ada)], []);
    const older = deferred();
    answerAfter(older.promise);
    const failed = find(ada);
    invalidate(ada);
    answerAfter(Promise.resolve());
    await find(ada);
    older.reject(new Error("The older list failed."));
    fail(new Error("The list was requested again."));

    await expect(failed).rejects.toThrow("The older list failed.");
    expect(await find(ada)).toEqual(pending(ada));
    expect(requested()).toHaveLength(2);
  });

  test("does not wait for a request whose deadline is later than that of the look-up", async () => {
    const { find, requested, answerAfter } = setUp([pending(ada)], []);
    const { promise, resolve } = deferred();
    answerAfter(promise);

    const finds = [find(ada, 1_000), find(ada, 1_000)];
    expect(requested()).toEqual(["invitations of org"]);
    finds.push(find(ada, 999), find(ada, 1_000));
    expect(requested()).toEqual(["invitations of org"]);
    resolve();
    await Promise.all(finds);
    await find(ada, 1);

    expect(requested()).toEqual([]);
  });

  test("uses an older list in spite of an invalidation, where the caller trusts what it says", async () => {
    const { find, invalidate, requested } = setUp([], [member(ada), pending(bob)]);
    const trust = ({ orgMembershipStatus }: Person) => orgMembershipStatus === "ACTIVE";
    await find(ada, 1_000, { trust });
    for (const username of [ada, bob]) invalidate(username);
    requested();

    expect(await find(ada, 1_000, { trust })).toEqual(member(ada));
    expect(requested()).toEqual([]);
    expect(await find(bob, 1_000, { trust })).toEqual(pending(bob));
    expect(requested()).toEqual(bothLists);
  });

  test("requests new lists where a trusted one fails", async () => {
    const { find, invalidate, requested, answerAfter } = setUp([], [member(ada)]);
    const older = deferred();
    answerAfter(older.promise);
    const failed = find(ada);
    invalidate(ada);
    answerAfter(Promise.resolve());
    const trusting = find(ada, 1_000, { trust: () => true });
    older.reject(new Error("The older list failed."));

    await expect(failed).rejects.toThrow("The older list failed.");
    expect(await trusting).toEqual(member(ada));
    expect(requested()).toEqual(["invitations of org", ...bothLists]);
  });

  test("finds a user in the list of users alone, which other look-ups share", async () => {
    const { directory, find, requested, fail } = setUp([pending(ada)], [member(ada)]);
    const findUser = () => directory.findUser({ orgId: "org", username: ada }, bounds);

    expect(await Promise.all([findUser(), findUser()])).toEqual([member(ada), member(ada)]);
    expect(requested()).toEqual(["users of org"]);
    await find(bob);
    expect(requested()).toEqual(["invitations of org"]);

    directory.invalidate({ orgId: "org", username: ada });
    fail(new AtlasError("waitTooLong", "No."));
    await expect(find(ada)).rejects.toMatchObject({ kind: "unknownPerson", cause: { kind: "waitTooLong" } });
  });
});

// What is known of a person in the lists of each version of the API.
describe.each(VERSIONS)("in the lists of the %s API", (version) => {
  const isUsers = version === "users";

  async function setUp(options?: SimulatedAtlasOptions) {
    const fixture = await invitationsFixture(version, options);
    const { clock, organization, orgId } = fixture;
    const notices: Notice[] = [];
    const directoryOf = (now: () => number) =>
      new MemberDirectory(
        invitationsApiOf(version, fixture.client, now),
        clock,
        (notice) => void notices.push(notice),
      );
    const directory = directoryOf(clock.now);
    return {
      ...fixture,
      notices,
      directory,
      directoryOf,
      find: (query: Partial<PersonQuery> = {}, options = {}, by = directory) =>
        by.find({ orgId, username: ada, ...query }, bounds, options),
      /** Changes the entries about a person in the lists. */
      rewrite: (username: string, changes: object) =>
        organization.rewrite(username, (view) => ({ ...view, ...changes })),
    };
  }

  test.each(["before", "after"])(
    "of several entries of an address, the member, else the pending one, counts, listed %s the others",
    async (order) => {
      await using fixture = await setUp({ listsExpired: true });
      const { clock, organization } = fixture;
      const addEnded = () => {
        for (const status of ["INVITATION_REJECTED", "INVITATION_EXPIRED"] as const) {
          organization.remember({
            ...access,
            username: ada,
            status,
            roles: ["ORG_OWNER"],
            userId: status === "INVITATION_EXPIRED" ? unknownId : project,
            createdAt: "2026-01-01T00:00:00Z",
            expiresAt: "2026-01-31T00:00:00Z",
          });
        }
      };
      if (order === "after") addEnded();
      const invited = organization.invite(bob);
      organization.remember({ ...invited, username: ada });
      if (order === "before") addEnded();

      expect(await fixture.find()).toMatchObject({ orgMembershipStatus: "PENDING", roles: ["ORG_MEMBER"] });

      organization.accept(ada);
      clock.pass(30_000);
      const { userId } = invited;
      expect(await fixture.find()).toMatchObject({ orgMembershipStatus: "ACTIVE", userId });
    },
  );

  test("the address counts before the id, unless its invitation has ended", async () => {
    await using fixture = await setUp();
    const { clock, organization } = fixture;
    organization.invite(ada);
    const { userId } = organization.addMember(bob);

    expect(await fixture.find({ userId })).toMatchObject({ username: ada, orgMembershipStatus: "PENDING" });
    organization.reject(ada);
    clock.pass(30_000);
    expect(await fixture.find({ userId })).toMatchObject({ username: bob, userId });
    expect(await fixture.find()).toMatchObject({ orgMembershipStatus: "INVITATION_REJECTED" });
  });

  const unknown = { kind: "unknownPerson", cause: { kind: "unusableEntry" } };

  test("an entry without roles makes the person unknown, and nobody else, with one warning", async () => {
    await using fixture = await setUp();
    const { organization, orgId } = fixture;
    for (const username of [ada, bob]) organization.invite(username);
    organization.addMember("eve@example.com");
    fixture.rewrite(ada, { roles: null });

    expect(await rejection(fixture.find())).toMatchObject(unknown);
    const renamed = { username: "joan@example.com", knownAs: ada };
    expect(await rejection(fixture.find(renamed))).toMatchObject(unknown);
    const others = [bob, "eve@example.com", "joan@example.com"].map((username) => fixture.find({ username }));
    const statuses = (await Promise.all(others)).map((person) => person?.orgMembershipStatus);
    expect(statuses).toEqual(["PENDING", "ACTIVE", undefined]);

    fixture.clock.pass(30_000);
    await rejection(fixture.find());
    expect(fixture.notices).toMatchObject([{ severity: "warning", subject: { orgId, username: ada } }]);
  });

  test("an entry without an address makes the person unknown who is known by its id, and nobody else", async () => {
    await using fixture = await setUp();
    const { organization, clock } = fixture;
    const { invitationId, userId } = organization.invite(ada);
    organization.invite(bob);
    fixture.rewrite(ada, { username: null });

    expect(await rejection(fixture.find({ invitationId, userId }))).toMatchObject(unknown);
    expect(await fixture.find({ username: bob })).toMatchObject({ orgMembershipStatus: "PENDING" });
    expect(await fixture.find({ username: "joan@example.com" })).toBeUndefined();
    expect(fixture.notices).toMatchObject([{ severity: "warning", subject: undefined }]);

    organization.accept(ada);
    clock.pass(30_000);
    expect(await rejection(fixture.find({ userId }))).toMatchObject(unknown);
  });

  test("an unknown status is reported once, and returned", async () => {
    await using fixture = await setUp();
    const { clock, organization, orgId } = fixture;
    organization.addMember(ada);
    organization.addMember(bob);
    fixture.rewrite(ada, { orgMembershipStatus: "SUSPENDED" });

    for (const _ of [1, 2]) {
      expect(await fixture.find()).toMatchObject({ orgMembershipStatus: "SUSPENDED" });
      expect(await fixture.find({ username: bob })).toMatchObject({ orgMembershipStatus: "ACTIVE" });
      clock.pass(30_000);
    }
    expect(fixture.notices).toMatchObject([{ severity: "warning", subject: { orgId, username: ada } }]);
  });

  // The users API may hide invitations to projects.
  test.each([true, false])(
    "an invitation to a project is not found, and reported once where it is listed: %s",
    async (showsProjectInvitations) => {
      await using fixture = await setUp({ showsProjectInvitations });
      const { clock, organization, orgId } = fixture;
      const { invitationId, userId } = organization.inviteToProject(ada, {
        groupId: project,
        roles: ["GROUP_OWNER"],
      });

      expect(await fixture.find()).toBeUndefined();
      expect(await fixture.find({ invitationId, userId })).toBeUndefined();
      clock.pass(30_000);
      expect(await fixture.find()).toBeUndefined();
      const notice = { severity: "warning", subject: { orgId, username: ada } };
      expect(fixture.notices).toMatchObject(isUsers && !showsProjectInvitations ? [] : [notice]);

      const invited = organization.invite(bob);
      organization.remember({ ...invited, username: ada });
      clock.pass(30_000);
      expect(await fixture.find()).toMatchObject(fixture.idsOf(invited));
    },
  );

  test.each([
    [false, "after"],
    [true, "after"],
    [true, "before"],
  ])(
    "a person who joined by single sign-on is a member with an open invitation; both in the list of users: %s, %s the invitation",
    async (showsPendingBesideActive, order) => {
      await using fixture = await setUp({ showsPendingBesideActive });
      const { organization } = fixture;
      const { ...invited } = organization.invite(bob);
      organization.cancel(bob);
      const invitation = { ...invited, username: ada };
      if (order === "after") organization.remember(invitation);
      const { userId } = organization.joinBySingleSignOn(ada, { roles: ["ORG_READ_ONLY"] });
      if (order === "before") organization.remember(invitation);

      const found = await fixture.find({}, { thorough: true });

      expect(found).toMatchObject({ orgMembershipStatus: "ACTIVE", roles: ["ORG_READ_ONLY"], userId });
      const openInvitation = {
        ...(!isUsers && { invitationId: invited.invitationId }),
        ...(showsPendingBesideActive && { userId: invited.userId }),
      };
      if (isUsers && !showsPendingBesideActive) expect(found).not.toHaveProperty("openInvitation");
      else expect(found).toMatchObject({ openInvitation });

      // A look-up that is not thorough ends at the invitation.
      expect((await fixture.find())?.orgMembershipStatus).toBe(isUsers ? "ACTIVE" : "PENDING");
    },
  );

  test("an expired invitation that is still listed is expired", async () => {
    await using fixture = await setUp({ listsExpired: true });
    const { invitationId, userId } = fixture.organization.invite(ada);
    fixture.organization.expire(ada);

    expect(await fixture.find()).toMatchObject({
      orgMembershipStatus: "INVITATION_EXPIRED",
      userId,
      ...(!isUsers && { invitationId }),
    });
  });

  test("Atlas, and not the clock of this machine, decides whether an invitation has expired", async () => {
    await using fixture = await setUp();
    const invited = fixture.organization.invite(ada);
    const inAMonth = () => fixture.clock.now() + 31 * 24 * 3_600_000;

    const found = await fixture.find({}, {}, fixture.directoryOf(inAMonth));
    expect(found).toMatchObject({ orgMembershipStatus: "PENDING", ...fixture.idsOf(invited) });
  });

  test.each<[status: string, act: (organization: Organization) => void, isStale: boolean]>([
    ["gone", (organization) => organization.cancel(ada), false],
    ["expired", (organization) => organization.expire(ada), false],
    ["rejected", (organization) => organization.reject(ada), false],
    ["pending", () => {}, true],
    ["a member", (organization) => organization.accept(ada), true],
  ])(
    "the recheck before an invitation of a person who is now %s reads a new list",
    async (_, act, isStale) => {
      await using fixture = await setUp();
      const { directory, organization, orgId } = fixture;
      organization.invite(ada);
      await fixture.find();
      act(organization);

      const recheck = directory.expectUninvited({ orgId, username: ada }, {})(bounds);
      if (isStale) await expect(recheck).rejects.toThrow(StaleObservationError);
      else await expect(recheck).resolves.toBeUndefined();
    },
  );
});
