import { describe, expect, test } from "vitest";
import { APIS, ada, newAddress, team, withoutTag } from "./lifecycle-fixture.ts";

describe.each(APIS)("on $apiVersion, a person who changes the address", (api) => {
  /** Ada accepted, a read has stored it, and then she changed her address in Atlas. */
  async function setup(onAccepted: "fail" | "retain" | "manage") {
    const fixture = await api.setup({ onAccepted });
    const accepted = await fixture.accepted();
    fixture.organization.changeAddress(ada, newAddress);
    const isSame = `Atlas has the address ${newAddress} for ${ada} in ${accepted.orgId}. The id shows that it is the same person.`;
    return { ...fixture, accepted, isSame };
  }

  test.each(["fail", "retain", "manage"] as const)("stays the same member under %s", async (onAccepted) => {
    const { accepted, refresh, update, notices, isSame, expectNoChange } = await setup(onAccepted);
    await expectNoChange(async () => {
      const read = await refresh(accepted);
      expect(read).toEqual({ ...accepted, knownAs: newAddress });
      expect(await refresh(read)).toEqual(read);
      expect(await update(read, { reinviteExpired: true })).toEqual({ ...read, reinviteExpired: true });
    });
    expect(notices).toEqual([isSame]);
  });

  test("is changed and removed as a managed member, and never invited under the old address", async () => {
    const { accepted, update, connected, organization, changes, notices, isSame } = await setup("manage");
    changes();
    const roles = ["ORG_OWNER"];
    expect(await update(accepted, { roles })).toMatchObject({ username: ada, knownAs: newAddress, roles });
    expect(organization.users).toMatchObject([{ username: newAddress, status: "ACTIVE", roles }]);
    expect(changes()).toMatchObject([{ method: "PATCH" }]);
    await connected().delete(accepted);
    expect(organization.users).toEqual([]);
    expect(notices).toEqual([isSame, isSame]);
  });

  test.each([
    { onAccepted: "fail", sent: [] },
    { onAccepted: "manage", sent: [] },
    { onAccepted: "manage", teamIds: [team], sent: [{ method: "PATCH" }] },
  ] as const)("may be declared by the new address: %o", async ({ onAccepted, sent, teamIds = [] }) => {
    const { accepted, refresh, update, changes, notices, isSame } = await setup(onAccepted);
    const read = await refresh(accepted);
    changes();
    const renamed = await update(read, { username: newAddress, teamIds: [...teamIds] });
    expect(changes()).toMatchObject(sent);
    const { knownAs: _, ...expected } = { ...read, username: newAddress, teamIds };
    expect(renamed).toMatchObject({ ...expected, declared: { teamIds } });
    expect(renamed.knownAs).toBeUndefined();
    expect(await refresh(renamed)).toEqual(renamed);
    expect(notices).toEqual([isSame]);
  });
});

describe.each(APIS)("on $apiVersion, an address that Atlas stores differently", (api) => {
  test("is one person", async () => {
    const [username, stored] = ["ada+atlas@example.com", ada];
    const fixture = await api.setup({ storesUsername: withoutTag, newIdOnAcceptance: true });
    const { organization, invited, refresh, update, connected, atlas, notices } = fixture;
    const created = await invited({ username });
    expect(created).toMatchObject({ username, knownAs: stored, status: "PENDING" });
    expect(await refresh(created)).toEqual(created);
    const updated = await update(created, { username, roles: ["ORG_OWNER"] });
    expect(updated).toMatchObject({ username, knownAs: stored, roles: ["ORG_OWNER"] });
    expect(await refresh(updated)).toEqual(updated);
    expect(organization.users).toMatchObject([{ username: stored, status: "PENDING" }]);
    await connected().delete(updated);
    expect(organization.users).toEqual([]);

    const other = await invited({ username, onAccepted: "manage" });
    organization.accept(stored);
    const read = await refresh(other);
    expect(read).toMatchObject({ username, knownAs: stored, status: "ACCEPTED" });
    await connected().delete(read);
    expect(organization.users).toEqual([]);
    expect(atlas.mails).toHaveLength(2);
    expect(notices).toEqual([]);
  });
});

describe.each(APIS)("on $apiVersion, a member who joined by single sign-on while invited", (api) => {
  const { isUsers, lists, cancel } = api;
  // It is unknown which of the two entries the users API lists.
  const settings = { showsPendingBesideActive: isUsers };
  const managed = { ...settings, onAccepted: "manage" } as const;

  test.each(["adopted", "read"])("is %s as a member under manage, and deleting ends both", async (how) => {
    const { organization, invited, refresh, connected, requests } = await api.setup(managed);
    const state = how === "read" ? await invited() : undefined;
    if (!state) organization.invite(ada);
    const { userId } = organization.joinBySingleSignOn(ada, { roles: ["ORG_OWNER"] });
    const member = await (state ? refresh(state) : invited());
    const roles = state ? ["ORG_OWNER"] : ["ORG_MEMBER"];
    expect(member).toMatchObject({ status: "ACCEPTED", userId, roles });
    expect(organization.find(ada)).toMatchObject({ status: "ACTIVE", roles });
    expect(await refresh(member)).toEqual(member);
    requests();
    await connected().delete(member);
    expect(requests()).toEqual([...lists, ...cancel, "DELETE users/id"]);
    expect(organization.users).toEqual([]);
  });

  test.each([
    { onAccepted: "manage", showsPendingBesideActive: false },
    { onAccepted: "manage", showsPendingBesideActive: true },
    { onAccepted: "fail", ...settings },
    { onAccepted: "retain", ...settings },
  ] as const)("is removed with an unread invitation only under manage: %o", async (options) => {
    const { organization, invited, connected, requests } = await api.setup(options);
    const state = await invited();
    const member = organization.joinBySingleSignOn(ada);
    requests();
    await connected().delete(state);
    const isManaged = options.onAccepted === "manage";
    expect(requests()).toEqual([...cancel, ...(isManaged ? ["GET users", "DELETE users/id"] : [])]);
    expect(organization.users).toEqual(isManaged ? [] : [member]);
  });

  test("is kept where the list of users cannot be read, and removed by the next run", async () => {
    const { organization, invited, connected, atlas } = await api.setup(managed);
    const state = await invited();
    const member = organization.joinBySingleSignOn(ada);
    const body = { errorCode: "ORG_REQUIRES_ACCESS_LIST" };
    atlas.fail({ method: "GET", path: /users\?/, status: 403, body });
    await expect(connected().delete(state)).rejects.toMatchObject({ kind: "unknownPerson" });
    expect(organization.users).toEqual([member]);
    await connected().delete(state);
    expect(organization.users).toEqual([]);
  });
});
