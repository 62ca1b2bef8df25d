import { describe, expect, test } from "vitest";
import { AtlasError } from "../../../../provider/atlas/errors.ts";
import type { Listing, PeopleList, Person } from "../../../../provider/atlas/invitations/invitations-api.ts";
import { MemberDirectory, type Sought } from "../../../../provider/atlas/invitations/member-directory.ts";
import type { InvitationsApiVersion } from "../../../../provider/settings/settings.ts";
import { SimulatedClock } from "../../../support/simulated-clock.ts";
import { bounds, clientFixture, invitationsApiOf, rejection } from "../client-fixture.ts";

const ada = "ada@example.com";
const bob = "bob@example.com";
const project = "5f0000000000000000000002";

// How lists are shared and kept, shown on lists that answer when they are told to.

const pending = (username: string): Person => ({
  username,
  orgMembershipStatus: "PENDING",
  roles: ["ORG_MEMBER"],
  teamIds: [],
  groupRoleAssignments: [],
});
const member = (username: string): Person => ({ ...pending(username), orgMembershipStatus: "ACTIVE" });

/** A list of pending people and a list of everybody, and a clock. */
function listScene(invitations: Person[], users: Person[]) {
  const asked: string[] = [];
  const clock = new SimulatedClock();
  let failure: Error | undefined;
  let answered: Promise<unknown> = Promise.resolve();
  const list =
    (name: string, people: Person[]): PeopleList =>
    async (orgId) => {
      asked.push(`${name} of ${orgId}`);
      const listing: Listing = { people: [...people], unusable: [] };
      await answered;
      if (failure) throw failure;
      return listing;
    };
  const lists = [list("invitations", invitations), list("users", users)];
  const people = new MemberDirectory({ lookUp: (find) => find(lists) }, clock, () => {});
  return {
    people,
    clock,
    /** What an operation finds, which may take until then. */
    find: (username: string, deadline = 1_000, options = {}) =>
      people.find({ orgId: "org", username }, { deadline }, options),
    fail: (error: Error | undefined) => {
      failure = error;
    },
    /** Holds the answers to come. */
    hold: (deadline: Promise<unknown>) => {
      answered = deadline;
    },
    /** What was asked since the last time. */
    asked: () => asked.splice(0),
  };
}

test("the list of users is asked only for whom the list of invitations does not show", async () => {
  const { find, asked } = listScene([pending(ada)], [pending(ada), member(bob)]);

  expect(await find("ADA@example.com")).toEqual(pending(ada));
  expect(asked()).toEqual(["invitations of org"]);
  expect(await find(bob)).toEqual(member(bob));
  expect(asked()).toEqual(["users of org"]);
  expect(await find("joan@example.com")).toBeUndefined();
  expect(asked()).toEqual([]);
});

test("a request that is under way is shared", async () => {
  const { find, asked } = listScene([pending(ada), pending(bob)], []);

  await Promise.all([find(ada), find(bob), find(ada)]);

  expect(asked()).toEqual(["invitations of org"]);
});

test("organizations are kept apart", async () => {
  const { people, asked } = listScene([pending(ada)], []);

  await Promise.all(["one", "other"].map((orgId) => people.find({ orgId, username: ada }, bounds)));

  expect(asked()).toEqual(["invitations of one", "invitations of other"]);
});

test("a list is used for 30 s after it was asked for, and no longer, whatever the wall clock says", async () => {
  const { find, asked, clock } = listScene([pending(ada)], []);
  await find(ada);
  asked();

  clock.setBack(3_600_000);
  await clock.advance(29_999);
  await find(ada, 60_000);
  expect(asked()).toEqual([]);
  await clock.advance(1);
  await find(ada, 60_000);
  expect(asked()).toEqual(["invitations of org"]);
});

test("after an invalidation the person is looked up in a newer list, and nobody else", async () => {
  const { people, find, asked } = listScene([pending(ada), pending(bob)], []);
  await find(ada);
  people.invalidate({ orgId: "org", username: "Ada@example.com" });
  people.invalidate({ orgId: "other", username: bob });
  asked();

  await find(bob);
  expect(asked()).toEqual([]);
  await find(ada);
  expect(asked()).toEqual(["invitations of org"]);
  await find(ada);
  expect(asked()).toEqual([]);
});

test("a list that was under way at the invalidation is not used", async () => {
  const { people, find, asked } = listScene([pending(ada)], []);

  const before = find(ada);
  people.invalidate({ orgId: "org", username: ada });
  await Promise.all([before, find(ada)]);

  expect(asked()).toEqual(["invitations of org", "invitations of org"]);
});

test("a list that failed fails all who waited for it, and is asked for anew by the next", async () => {
  const { find, asked, fail } = listScene([pending(ada)], []);
  fail(new Error("no"));

  const waiting = await Promise.allSettled([find(ada), find(ada)]);
  expect(waiting.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(asked()).toEqual(["invitations of org"]);
  fail(undefined);
  expect(await find(ada)).toEqual(pending(ada));
  expect(asked()).toEqual(["invitations of org"]);
});

test("a newer list is kept when an older one fails", async () => {
  const { people, find, asked, hold, fail } = listScene([pending(ada)], []);
  let answerOlder = (_error: Error) => {};
  hold(
    new Promise((_, reject) => {
      answerOlder = reject;
    }),
  );
  const older = find(ada);
  people.invalidate({ orgId: "org", username: ada });
  hold(Promise.resolve());
  await find(ada);
  answerOlder(new Error("no"));
  fail(new Error("It was asked again."));

  await expect(older).rejects.toThrow("no");
  expect(await find(ada)).toEqual(pending(ada));
  expect(asked()).toHaveLength(2);
});

test("nobody waits for a request that may wait for longer than they may", async () => {
  const { find, asked, hold } = listScene([pending(ada)], []);
  let answer = () => {};
  hold(
    new Promise<void>((resolve) => {
      answer = resolve;
    }),
  );

  const patient = find(ada, 1_000);
  const justAsPatient = find(ada, 1_000);
  expect(asked()).toEqual(["invitations of org"]);
  const impatient = find(ada, 999);
  const patientAgain = find(ada, 1_000);
  expect(asked()).toEqual(["invitations of org"]);
  answer();
  await Promise.all([patient, justAsPatient, impatient, patientAgain]);
  await find(ada, 1);

  expect(asked()).toEqual([]);
});

test("what a list says is taken in spite of an invalidation where that is trusted", async () => {
  const { people, asked } = listScene([], [member(ada), pending(bob)]);
  const trust = ({ orgMembershipStatus }: Person) => orgMembershipStatus === "ACTIVE";
  const find = (username: string) => people.find({ orgId: "org", username }, bounds, { trust });
  await find(ada);
  for (const username of [ada, bob]) people.invalidate({ orgId: "org", username });
  asked();

  expect(await find(ada)).toEqual(member(ada));
  expect(asked()).toEqual([]);
  expect(await find(bob)).toEqual(pending(bob));
  expect(asked()).toEqual(["invitations of org", "users of org"]);
});

test("nothing is taken on trust from a list that is too old, or was never asked for", async () => {
  const { people, asked, clock } = listScene([], [member(ada)]);
  const find = () =>
    people.find({ orgId: "org", username: ada }, { deadline: 60_000 }, { trust: () => true });
  const lists = ["invitations of org", "users of org"];

  expect(await find()).toEqual(member(ada));
  expect(asked()).toEqual(lists);
  await clock.advance(30_000);
  expect(await find()).toEqual(member(ada));
  expect(asked()).toEqual(lists);
});

test("a list that fails while it is trusted is no answer", async () => {
  const { people, asked, hold } = listScene([], [member(ada)]);
  const sought = { orgId: "org", username: ada };
  let failOlder = (_error: Error) => {};
  hold(
    new Promise((_, reject) => {
      failOlder = reject;
    }),
  );
  const older = people.find(sought, bounds);
  people.invalidate(sought);
  hold(Promise.resolve());
  const trusting = people.find(sought, bounds, { trust: () => true });
  failOlder(new Error("no"));

  await expect(older).rejects.toThrow("no");
  expect(await trusting).toEqual(member(ada));
  expect(asked()).toEqual(["invitations of org", "invitations of org", "users of org"]);
});

test("the list of users alone tells of a user, and is shared with other look-ups", async () => {
  const { people, find, asked } = listScene([pending(ada)], [member(ada)]);
  const findUser = () => people.findUser({ orgId: "org", username: ada }, bounds);

  expect(await Promise.all([findUser(), findUser()])).toEqual([member(ada), member(ada)]);
  expect(asked()).toEqual(["users of org"]);
  await find(bob);
  expect(asked()).toEqual(["invitations of org"]);
});

// What is known of a person, from the simulated Atlas by each generation of the API.

describe.each<InvitationsApiVersion>(["v1.0", "v2", "users"])("in the lists of %s", (generation) => {
  const isUsers = generation === "users";

  async function startScene(...[options]: Parameters<typeof clientFixture>) {
    const scene = await clientFixture(options);
    const orgId = scene.organization.id;
    const peopleBy = (client = scene.client, now = scene.clock.now) =>
      new MemberDirectory(
        invitationsApiOf(generation, client, { ...scene.clock, now }),
        scene.clock,
        (line) => void scene.notices.push(line),
      );
    const people = peopleBy();
    return {
      ...scene,
      orgId,
      peopleBy,
      find: (sought: Partial<Sought> = {}, options = {}, by = people) =>
        by.find({ orgId, username: ada, ...sought }, bounds, options),
    };
  }
  type Scene = Awaited<ReturnType<typeof startScene>>;

  test.each<[string, (organization: Scene["organization"]) => void, string]>([
    ["is pending", () => {}, "PENDING"],
    ["accepted", (organization) => organization.accept(ada), "ACTIVE"],
    ["expired", (organization) => organization.expire(ada), "INVITATION_EXPIRED"],
    ["rejected", (organization) => organization.reject(ada), "INVITATION_REJECTED"],
  ])("somebody who %s is found, whatever the letter case", async (_, act, orgMembershipStatus) => {
    await using scene = await startScene();
    scene.organization.invite("Ada@Example.com");
    act(scene.organization);

    expect(await scene.find({ username: "ADA@example.com" })).toMatchObject({
      username: ada,
      orgMembershipStatus,
    });
    expect(await scene.find({ username: bob })).toBeUndefined();
    expect(scene.notices).toEqual([]);
  });

  test.each(["before", "after"])(
    "of several entries of an address, a member counts before somebody pending before the rest, %s them",
    async (order) => {
      await using scene = await startScene({ listsExpired: true });
      const { organization } = scene;
      const old = (status: "INVITATION_EXPIRED" | "INVITATION_REJECTED", userId: string) =>
        organization.remember({
          username: ada,
          roles: ["ORG_OWNER"],
          teamIds: [],
          groupRoleAssignments: [],
          status,
          userId,
          createdAt: "2026-01-01T00:00:00Z",
          expiresAt: "2026-01-31T00:00:00Z",
        });
      const addOld = () => {
        old("INVITATION_REJECTED", "6a793f89c0eb9e7a177165b6");
        old("INVITATION_EXPIRED", "6a793f89c0eb9e7a177165b7");
      };
      if (order === "after") addOld();
      const invited = organization.invite(bob);
      organization.remember({ ...invited, username: ada });
      if (order === "before") addOld();

      expect(await scene.find()).toMatchObject({ orgMembershipStatus: "PENDING", roles: ["ORG_MEMBER"] });

      organization.accept(ada);
      scene.clock.pass(30_000);
      expect(await scene.find()).toMatchObject({ orgMembershipStatus: "ACTIVE", userId: invited.userId });
    },
  );

  test("who changed their address while pending is found by the id", async () => {
    await using scene = await startScene();
    const { invitationId, userId } = scene.organization.invite(ada);
    scene.organization.changeAddress(ada, "lovelace@example.com");

    expect(await scene.find({ invitationId, userId })).toMatchObject({
      username: "lovelace@example.com",
      orgMembershipStatus: "PENDING",
      ...(isUsers ? { userId } : { invitationId }),
    });
    expect(await scene.find()).toBeUndefined();
  });

  test("a member who changed their address is found by the id, or by the address that Atlas had last", async () => {
    await using scene = await startScene();
    const { userId } = scene.organization.addMember(ada);
    scene.organization.changeAddress(ada, "lovelace@example.com");
    const found = { username: "lovelace@example.com", orgMembershipStatus: "ACTIVE", userId };

    expect(await scene.find({ userId })).toMatchObject(found);
    expect(await scene.find({ knownAs: "lovelace@example.com" })).toMatchObject(found);
    expect(await scene.find({ userId: "6a793f89c0eb9e7a177165b6" })).toBeUndefined();
  });

  test("the address counts before the id", async () => {
    await using scene = await startScene();
    const { userId } = scene.organization.addMember(ada);
    scene.organization.changeAddress(ada, "lovelace@example.com");
    scene.organization.invite(ada);

    expect(await scene.find({ userId })).toMatchObject({ username: ada, orgMembershipStatus: "PENDING" });
  });

  test("an invitation of the address that is over does not hide a member who is known by the id", async () => {
    await using scene = await startScene();
    scene.organization.invite(ada);
    scene.organization.reject(ada);
    const { userId } = scene.organization.addMember("lovelace@example.com");

    expect(await scene.find({ userId })).toMatchObject({ username: "lovelace@example.com", userId });
    expect(await scene.find()).toMatchObject({ orgMembershipStatus: "INVITATION_REJECTED" });
  });

  test.each([
    ["no roles", { roles: null }, "its roles is missing or of another kind"],
    ["an id that is none", { id: ".." }, "its id is missing or of another kind"],
  ])(
    "an entry with %s makes only its own person unknown, and is told of once",
    async (_, changes, reason) => {
      await using scene = await startScene();
      scene.organization.invite(ada);
      scene.organization.invite(bob);
      scene.organization.addMember("eve@example.com");
      scene.organization.rewrite(ada, (view) => ({ ...view, ...changes }));

      const error = await rejection(scene.find());
      expect(error).toBeInstanceOf(AtlasError);
      expect(error.message).toBe(`Atlas's entry about ${ada} cannot be used: ${reason}.`);
      expect(await scene.find({ username: bob })).toMatchObject({ orgMembershipStatus: "PENDING" });
      expect(await scene.find({ username: "eve@example.com" })).toMatchObject({
        orgMembershipStatus: "ACTIVE",
      });
      expect(await scene.find({ username: "joan@example.com" })).toBeUndefined();
      expect(await rejection(scene.find({ username: "joan@example.com", knownAs: ada }))).toBeInstanceOf(
        AtlasError,
      );

      scene.clock.pass(30_000);
      await rejection(scene.find());
      expect(scene.notices).toEqual([
        `An entry about ${ada} in a list of ${scene.orgId} was skipped: ${reason}.`,
      ]);
    },
  );

  test("an entry without an address makes only the person unknown who is known by its id", async () => {
    await using scene = await startScene();
    const { invitationId, userId } = scene.organization.invite(ada);
    scene.organization.invite(bob);
    scene.organization.rewrite(ada, (view) => ({ ...view, username: null }));

    const error = await rejection(scene.find({ invitationId, userId }));
    expect(error.message).toContain("its username is missing or of another kind");
    expect(await scene.find({ username: bob })).toMatchObject({ orgMembershipStatus: "PENDING" });
    expect(await scene.find({ username: "joan@example.com" })).toBeUndefined();
    expect(scene.notices).toEqual([
      `An entry about somebody in a list of ${scene.orgId} was skipped: its username is missing or of another kind.`,
    ]);
  });

  test("a member whose entry has become unusable is not taken for gone", async () => {
    await using scene = await startScene();
    const { userId } = scene.organization.addMember(ada);
    scene.organization.rewrite(ada, (view) => ({ ...view, username: null }));

    await expect(scene.find({ userId })).rejects.toThrow("cannot be used");
  });

  test.each<[string, { roles?: string[]; groupRoleAssignments?: object[] }, object]>([
    [
      "a project without a role",
      { groupRoleAssignments: [{ groupId: project }] },
      { groupRoleAssignments: [{ groupId: project, roles: [] }] },
    ],
    ["a role of tomorrow", { roles: ["OF_TOMORROW"] }, { roles: ["OF_TOMORROW"] }],
  ])("an entry with %s is as good as any", async (_, { roles, groupRoleAssignments = [] }, access) => {
    await using scene = await startScene();
    scene.organization.invite(ada);
    const orgRoles = roles ?? ["ORG_MEMBER"];
    const fields = isUsers
      ? { roles: { orgRoles, groupRoleAssignments } }
      : { roles: orgRoles, groupRoleAssignments };
    scene.organization.rewrite(ada, (view) => ({ ...view, ...fields }));

    expect(await scene.find()).toMatchObject({ orgMembershipStatus: "PENDING", ...access });
    expect(scene.notices).toEqual([]);
  });

  test("a status of tomorrow is told as it is, and hides nobody else", async () => {
    await using scene = await startScene();
    scene.organization.addMember(ada);
    scene.organization.addMember(bob);
    scene.organization.rewrite(ada, (view) => ({ ...view, orgMembershipStatus: "SUSPENDED" }));

    expect(await scene.find()).toMatchObject({ orgMembershipStatus: "SUSPENDED" });
    expect(scene.notices).toEqual([
      `${ada} in ${scene.organization.id} has the status "SUSPENDED", which this version does not know. Update pulumi-atlas-invitations.`,
    ]);
    expect(await scene.find({ username: bob })).toMatchObject({ orgMembershipStatus: "ACTIVE" });
  });

  test.each([true, false])(
    "an invitation to a project is told of once, and never taken for one to the organization; in the list of users: %s",
    async (showsProjectInvitations) => {
      await using scene = await startScene({ showsProjectInvitations });
      const { invitationId, userId } = scene.organization.inviteToProject(ada, {
        groupId: project,
        roles: ["GROUP_OWNER"],
      });

      expect(await scene.find()).toBeUndefined();
      expect(await scene.find({ invitationId, userId })).toBeUndefined();
      scene.clock.pass(30_000);
      expect(await scene.find()).toBeUndefined();
      const isShown = showsProjectInvitations || !isUsers;
      expect(scene.notices).toEqual(
        isShown
          ? [
              `${ada} has an invitation to a project of ${scene.orgId}, from owner@example.com: it is not an invitation to the organization, and is left as it is.`,
            ]
          : [],
      );

      const invited = scene.organization.invite(bob);
      scene.organization.remember({ ...invited, username: ada });
      scene.clock.pass(30_000);
      expect(await scene.find()).toMatchObject(
        isUsers ? { userId: invited.userId } : { invitationId: invited.invitationId },
      );
    },
  );

  test("an invitation to a project is told of without its sender where Atlas leaves them out", async () => {
    await using scene = await startScene();
    scene.organization.inviteToProject(ada, { groupId: project, roles: ["GROUP_OWNER"] });
    scene.organization.rewrite(ada, (view) => ({ ...view, inviterUsername: undefined }));

    expect(await scene.find()).toBeUndefined();
    expect(scene.notices).toEqual([
      `${ada} has an invitation to a project of ${scene.orgId}: it is not an invitation to the organization, and is left as it is.`,
    ]);
  });

  test.each([
    [false, "after"],
    [true, "after"],
    [true, "before"],
  ])(
    "who joined by single sign-on is a member with an open invitation; listed beside: %s, %s the invitation",
    async (showsPendingBesideActive, order) => {
      await using scene = await startScene({ showsPendingBesideActive });
      const invited = scene.organization.invite(bob);
      scene.organization.cancel(bob);
      const invitation = { ...invited, username: ada };
      if (order === "after") scene.organization.remember(invitation);
      const { userId } = scene.organization.joinBySingleSignOn(ada, { roles: ["ORG_READ_ONLY"] });
      if (order === "before") scene.organization.remember(invitation);

      const found = await scene.find({}, { thorough: true });

      expect(found).toMatchObject({ orgMembershipStatus: "ACTIVE", roles: ["ORG_READ_ONLY"], userId });
      const { invitationId, userId: invitedUserId } = invited;
      if (!isUsers) expect(found?.openInvitation).toMatchObject({ invitationId });
      if (showsPendingBesideActive) expect(found?.openInvitation).toMatchObject({ userId: invitedUserId });
      if (isUsers && !showsPendingBesideActive) expect(found?.openInvitation).toBeUndefined();

      // Without the second list, the invitation is what is known.
      const briefly = await scene.find();
      expect(briefly?.orgMembershipStatus).toBe(isUsers ? "ACTIVE" : "PENDING");
    },
  );

  test("an invitation that has run out and is listed on is expired", async () => {
    await using scene = await startScene({ listsExpired: true });
    const { invitationId, userId } = scene.organization.invite(ada);
    scene.organization.expire(ada);

    expect(await scene.find()).toMatchObject({
      orgMembershipStatus: "INVITATION_EXPIRED",
      userId,
      ...(!isUsers && { invitationId }),
    });
  });

  test("Atlas, and not the clock of this machine, says whether an invitation has run out", async () => {
    await using scene = await startScene();
    const { invitationId, userId } = scene.organization.invite(ada);
    const aMonthAhead = () => scene.clock.now() + 31 * 24 * 3_600_000;

    expect(await scene.find({}, {}, scene.peopleBy(scene.client, aMonthAhead))).toMatchObject({
      orgMembershipStatus: "PENDING",
      // As it would be found if the clock were right.
      ...(isUsers ? { userId } : { invitationId }),
    });
  });

  test.each([401, 403] as const)(
    "a key that may only read finds everybody, by %i",
    async (notOwnerAnswer) => {
      for (const notOwnerCode of ["NOT_ORG_OWNER", "USER_UNAUTHORIZED"] as const) {
        await using scene = await startScene({ notOwnerAnswer, notOwnerCode });
        scene.organization.invite(ada);
        scene.organization.addMember(bob);
        const key = scene.atlas.addApiKey({ organization: scene.organization, roles: ["ORG_READ_ONLY"] });
        const people = scene.peopleBy(scene.connectedBy(key));

        expect(await scene.find({}, {}, people)).toMatchObject({ orgMembershipStatus: "PENDING" });
        expect(await scene.find({ username: bob }, {}, people)).toMatchObject({
          orgMembershipStatus: "ACTIVE",
        });
        expect(await scene.find({ username: "joan@example.com" }, {}, people)).toBeUndefined();
      }
    },
  );
});
