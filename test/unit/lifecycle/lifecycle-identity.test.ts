import { domainToASCII } from "node:url";
import { describe, expect, test } from "vitest";
import type { OrgInvitationState } from "../../../provider/lifecycle/org-invitation-state.ts";
import { ada, GENERATIONS, lifecycleFixture, team } from "./lifecycle-fixture.ts";

const byName = "ada.lovelace@example.com";

describe.each(GENERATIONS)("a person on %s who changes their address", (generation) => {
  /** Ada accepted, a refresh has stored it, and then she changed her address in Atlas. */
  async function startScene(onAccepted: "fail" | "retain" | "manage") {
    const scene = await lifecycleFixture(generation);
    const { organization, inputs, connected } = scene;
    const declared = inputs({ onAccepted });
    const created = await connected().create(declared);
    organization.accept(ada);
    const accepted = (await connected().read(created)) as OrgInvitationState;
    organization.changeAddress(ada, byName);
    scene.requests();
    return {
      ...scene,
      declared,
      accepted,
      isSame: `${ada} is ${byName} in ${organization.id}, by the id: it is the same person.`,
      [Symbol.asyncDispose]: () => scene.atlas.stop(),
    };
  }

  test.each(["fail", "retain", "manage"] as const)(
    "stays the same member under %s, which is said once with both addresses",
    async (onAccepted) => {
      await using scene = await startScene(onAccepted);
      const { accepted, connected, notices, isSame, atlas } = scene;
      const read = await connected().read(accepted);
      expect(read).toEqual({ ...accepted, knownAs: byName });
      expect(notices).toEqual([isSame]);
      expect(await connected().read(read as OrgInvitationState)).toEqual(read);
      expect(notices).toEqual([isSame]);
      expect(scene.changes()).toEqual([]);
      expect(atlas.mails).toHaveLength(1);
    },
  );

  test("is changed as a managed member, and never invited under the old address", async () => {
    await using scene = await startScene("manage");
    const { accepted, declared, connected, organization, atlas, notices } = scene;
    const updated = await connected().update(accepted, { ...declared, roles: ["ORG_OWNER"] });
    expect(updated).toMatchObject({ username: ada, knownAs: byName, roles: ["ORG_OWNER"] });
    expect(organization.users).toMatchObject([{ username: byName, status: "ACTIVE", roles: ["ORG_OWNER"] }]);
    expect(scene.changes()).toHaveLength(1);
    expect(atlas.mails).toHaveLength(1);
    expect(notices).toEqual([scene.isSame]);
  });

  test("is removed where the resource manages them", async () => {
    await using scene = await startScene("manage");
    await scene.connected().delete(scene.accepted);
    expect(scene.organization.users).toEqual([]);
    expect(scene.notices).toEqual([scene.isSame]);
  });

  test.each(["fail", "manage"] as const)(
    "is declared by the new address under %s without a request",
    async (onAccepted) => {
      await using scene = await startScene(onAccepted);
      const { connected, declared, requests, notices } = scene;
      const read = (await connected().read(scene.accepted)) as OrgInvitationState;
      requests();
      const renamed = await connected().update(read, { ...declared, username: byName });
      expect(requests()).toEqual([]);
      const { knownAs: _, ...rest } = { ...read, username: byName };
      expect(renamed).toEqual(rest);
      expect(renamed.knownAs).toBeUndefined();
      expect(await connected().read(renamed)).toEqual(rest);
      expect(notices).toEqual([scene.isSame]);
    },
  );

  test("is declared by the new address and changed at once by one request", async () => {
    await using scene = await startScene("manage");
    const { connected, declared } = scene;
    const read = (await connected().read(scene.accepted)) as OrgInvitationState;
    const inputs = { ...declared, username: byName, teamIds: [team] };
    const renamed = await connected().update(read, inputs);
    expect(scene.changes()).toHaveLength(1);
    expect(renamed).toMatchObject({ username: byName, teamIds: [team] });
    expect(renamed.knownAs).toBeUndefined();
  });

  test("keeps the stored address of a change that needs no request", async () => {
    await using scene = await startScene("manage");
    const { connected, declared } = scene;
    const read = (await connected().read(scene.accepted)) as OrgInvitationState;
    const updated = await connected().update(read, { ...declared, onAccepted: "retain" });
    expect(updated).toEqual({ ...read, onAccepted: "retain" });
  });

  test("keeps the invitation that is pending, and it is cancelled", async () => {
    await using scene = await lifecycleFixture(generation);
    const { organization, inputs, connected, atlas } = scene;
    const state = await connected().create(inputs());
    organization.changeAddress(ada, byName);
    const read = (await connected().read(state)) as OrgInvitationState;
    expect(read).toEqual({ ...state, knownAs: byName });
    await connected().update(read, inputs({ roles: ["ORG_OWNER"] }));
    expect(organization.users).toMatchObject([{ username: byName, roles: ["ORG_OWNER"] }]);
    expect(atlas.mails).toHaveLength(1);
    await connected().delete(read);
    expect(organization.users).toEqual([]);
  });
});

describe.each(GENERATIONS)("an address on %s that Atlas stores in another spelling", (generation) => {
  const SPELLINGS = {
    "an alias": {
      declared: "ada+atlas@example.com",
      stored: "ada@example.com",
      storesUsername: (username: string) => username.replace(/\+[^@]*@/, "@"),
    },
    "a domain in Unicode": {
      declared: "ada@bücher.example",
      stored: "ada@xn--bcher-kva.example",
      storesUsername: (username: string) => username.replace(/[^@]*$/, (domain) => domainToASCII(domain)),
    },
  };

  test.each(Object.entries(SPELLINGS))(
    "such as %s, is the same person from create to delete, with one e-mail",
    async (_, { declared, stored, storesUsername }) => {
      await using scene = await lifecycleFixture(generation, { storesUsername });
      const { organization, inputs, connected, atlas, notices } = scene;
      const created = await connected().create(inputs({ username: declared }));
      expect(created).toMatchObject({ username: declared, knownAs: stored, status: "PENDING" });
      const read = (await connected().read(created)) as OrgInvitationState;
      expect(read).toEqual(created);
      const changed = inputs({ username: declared, roles: ["ORG_OWNER"] });
      const updated = await connected().update(read, changed);
      expect(updated).toMatchObject({ username: declared, knownAs: stored, roles: ["ORG_OWNER"] });
      expect(await connected().read(updated)).toEqual(updated);
      expect(organization.users).toMatchObject([{ username: stored, status: "PENDING" }]);

      await connected().delete(updated);
      expect(organization.users).toEqual([]);
      expect(atlas.mails).toHaveLength(1);
      expect(notices).toEqual([]);
    },
  );

  test.each(Object.entries(SPELLINGS))(
    "such as %s, is the same member after they accepted, also under a new id",
    async (_, { declared, stored, storesUsername }) => {
      await using scene = await lifecycleFixture(generation, { storesUsername, newIdOnAcceptance: true });
      const { organization, inputs, connected, notices, atlas } = scene;
      const created = await connected().create(inputs({ username: declared, onAccepted: "manage" }));
      organization.accept(stored);
      const read = (await connected().read(created)) as OrgInvitationState;
      expect(read).toMatchObject({ username: declared, knownAs: stored, status: "ACCEPTED" });
      await connected().delete(read);
      expect(organization.users).toEqual([]);
      expect(atlas.mails).toHaveLength(1);
      expect(notices).toEqual([]);
    },
  );
});

describe.each(GENERATIONS)("a member on %s who joined by single sign-on while invited", (generation) => {
  // Which of the two entries the users API shows is unknown.
  const settings = { showsPendingBesideActive: generation === "users" };
  const cancels = generation === "users" ? ["GET users/id", "DELETE users/id"] : ["DELETE invites/id"];
  const lists = generation === "users" ? ["GET users"] : ["GET invites", "GET users"];

  test("is adopted as a member where they are managed, and destroying ends both", async () => {
    await using scene = await lifecycleFixture(generation, settings);
    const { organization, inputs, connected, requests } = scene;
    organization.invite(ada);
    organization.joinBySingleSignOn(ada, { roles: ["ORG_READ_ONLY"] });
    const created = await connected().create(inputs({ onAccepted: "manage" }));
    expect(created).toMatchObject({ status: "ACCEPTED", roles: ["ORG_MEMBER"] });
    expect(organization.find(ada)).toMatchObject({ status: "ACTIVE", roles: ["ORG_MEMBER"] });
    expect(await connected().read(created)).toEqual(created);
    requests();
    await connected().delete(created);
    expect(requests()).toEqual([...lists, ...cancels, "DELETE users/id"]);
    expect(organization.users).toEqual([]);
  });

  test("counts as a member from the next refresh on where they are managed", async () => {
    await using scene = await lifecycleFixture(generation, settings);
    const { organization, inputs, connected } = scene;
    const state = await connected().create(inputs({ onAccepted: "manage" }));
    const { userId } = organization.joinBySingleSignOn(ada, { roles: ["ORG_OWNER"] });
    const read = (await connected().read(state)) as OrgInvitationState;
    expect(read).toMatchObject({ status: "ACCEPTED", userId, roles: ["ORG_OWNER"] });
    await connected().delete(read);
    expect(organization.users).toEqual([]);
  });

  test.each([false, true])(
    "is ended with the invitation where no refresh has seen them (both entries shown: %s)",
    async (showsPendingBesideActive) => {
      await using scene = await lifecycleFixture(generation, { showsPendingBesideActive });
      const { organization, inputs, connected, requests } = scene;
      const state = await connected().create(inputs({ onAccepted: "manage" }));
      organization.joinBySingleSignOn(ada);
      requests();
      await connected().delete(state);
      expect(requests()).toEqual([...cancels, "GET users", "DELETE users/id"]);
      expect(organization.users).toEqual([]);
    },
  );

  test("costs one list of users for twenty of them", async () => {
    await using scene = await lifecycleFixture(generation);
    const { organization, inputs, connected, requests } = scene;
    const people = Array.from({ length: 20 }, (_, index) => `p${index}@example.com`);
    const run = connected();
    const declared = people.map((username) => inputs({ username, onAccepted: "manage" }));
    const states = await Promise.all(declared.map((declared) => run.create(declared)));
    for (const username of people) organization.joinBySingleSignOn(username);
    requests();
    const later = connected();
    await Promise.all(states.map((state) => later.delete(state)));
    expect(requests().filter((request) => request === "GET users")).toHaveLength(1);
    expect(organization.users).toEqual([]);
  });

  test.each(["fail", "retain"] as const)(
    "stays a member under %s, and the invitation is cancelled",
    async (onAccepted) => {
      await using scene = await lifecycleFixture(generation, settings);
      const { organization, inputs, connected, requests } = scene;
      const state = await connected().create(inputs({ onAccepted }));
      const member = organization.joinBySingleSignOn(ada);
      requests();
      await connected().delete(state);
      expect(requests()).toEqual(cancels);
      expect(organization.users).toEqual([member]);
    },
  );

  test("is not guessed about where the list of users cannot be read", async () => {
    await using scene = await lifecycleFixture(generation, settings);
    const { organization, inputs, connected, atlas } = scene;
    const state = await connected().create(inputs({ onAccepted: "manage" }));
    const member = organization.joinBySingleSignOn(ada);
    const refused = { status: 403, body: { errorCode: "ORG_REQUIRES_ACCESS_LIST" } };
    atlas.fail({ method: "GET", path: /users\?/, ...refused });
    await expect(connected().delete(state)).rejects.toThrow(`It is unknown whether ${ada} is invited`);
    expect(organization.users).toEqual([member]);
    // The invitation is cancelled already, and the next run goes on.
    await connected().delete(state);
    expect(organization.users).toEqual([]);
  });
});
