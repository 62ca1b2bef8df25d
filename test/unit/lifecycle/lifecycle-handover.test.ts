import { describe, expect, test } from "vitest";
import { Declarations } from "../../../provider/lifecycle/declarations.ts";
import {
  APIS,
  ada,
  DEPRECATED_APIS,
  type FixtureOptions,
  newAddress,
  notOwner,
  refusal,
  team,
  UNMANAGED,
} from "./lifecycle-fixture.ts";

/*
 * Two resources declare one person, one after the other: Pulumi creates before it deletes a resource that is renamed,
 * moved or replaced. "old" is the resource of an earlier run, whose state is deleted in this run.
 */

type Api = (typeof APIS)[number];
type Fixture = Awaited<ReturnType<typeof setup>>;

/** Ada was invited in an earlier run by the resource "old". */
async function setup(api: Api, options: FixtureOptions = {}) {
  const fixture = await api.setup({ onAccepted: "manage", ...options });
  const old = await fixture.invited({}, "old");
  /** What this process announces to the others of the run, and what another process has announced. */
  const announced: string[] = [];
  const elsewhere: string[] = [];
  const declarations = new Declarations({
    announce: (topic) => announced.push(`announce ${topic}`),
    withdraw: (topic) => announced.push(`withdraw ${topic}`),
    others: (topic) => elsewhere.filter((other) => other === topic).length,
  });
  const run = fixture.connected({ declarations });
  const create = (declaredBy: string, changes = {}) => run.create(fixture.inputs(changes), declaredBy);
  const hold = (declaredBy: string) => declarations.hold(old, { inputs: fixture.inputs(), declaredBy });
  /** Ada accepts, which a read in another run stores in the state of "old". */
  const accept = () => {
    fixture.organization.accept(ada);
    return fixture.refresh(old);
  };
  fixture.requests();
  return { ...fixture, accept, old, declarations, announced, elsewhere, run, create, hold };
}

const invitedAgain = expect.stringContaining("again, because the resource was replaced");
const handedOver = expect.stringContaining("Another resource declares");

/** The resource "new" adopts the person with other roles, and Atlas rejects the change. */
async function failToCreate({ atlas, create }: Fixture, username = ada): Promise<void> {
  const failing = atlas.fail({ method: "PATCH", ...notOwner });
  await expect(create("new", { username, roles: ["ORG_OWNER"] })).rejects.toMatchObject(notOwner.body);
  failing.lift();
}

type Arrange = (fixture: Fixture) => unknown;

/** By the resource to which the person of "old" is left: what happens before "old" is deleted. */
const KEPT_BY: Record<string, Arrange> = {
  "adopted the invitation": ({ create }) => create("new"),
  "sent the invitation in this run": ({ organization, create }) => {
    organization.cancel(ada);
    return create("new");
  },
  "stays unchanged": ({ hold }) => hold("new"),
  "is the same resource with another address of the person": ({ organization, create }) => {
    organization.changeAddress(ada, newAddress);
    return create("old", { username: newAddress });
  },
  "is in another process": ({ elsewhere, old }) => elsewhere.push(`${old.orgId} ${ada}`),
  "is incomplete, which the next run corrects": async ({ organization, atlas, create }) => {
    Object.assign(atlas.settings, { ignoresOnCreate: ["teamIds"], addsRoles: ["ORG_READ_ONLY"] });
    organization.cancel(ada);
    atlas.fail({ method: "PATCH", path: /(invites|users)\/[^?]+$/, status: 501, body: "" });
    await expect(create("new", { teamIds: [team] })).rejects.toMatchObject({ kind: "incompleteCreate" });
  },
};

/** What a deletion ends: how it comes to that. */
const ENDED: Record<string, Arrange> = {
  "the resource of a person who is gone, after the creation of the other resource failed": async (
    fixture,
  ) => {
    await failToCreate(fixture);
    fixture.organization.cancel(ada);
    await fixture.run.delete(fixture.old);
  },
  "the invitation that this run sent for it": async ({ organization, run, create, announced, old }) => {
    organization.cancel(ada);
    await run.delete(await create("new"));
    const topic = `${old.orgId} ${ada}`;
    expect(announced).toEqual([`announce ${topic}`, `withdraw ${topic}`]);
  },
  "the invitation that no resource declares in a later run": async ({ run, create, old, connected }) => {
    const created = await create("new");
    await run.delete(old);
    await connected().delete(created);
  },
  "the invitation of a resource that is about to be created": ({ declarations, old, hold, run }) => {
    hold("new");
    declarations.release(old);
    return run.delete(old);
  },
  "an invitation that this run only read, while another process declares another person": async (fixture) => {
    fixture.elsewhere.push("another person");
    await fixture.run.read(fixture.old);
    await fixture.run.delete(fixture.old);
  },
};

/** What happens before the deletion of "old" sends the new invitation. */
const RENEWED: Record<string, Arrange> = {
  "where a run that ended early has only cancelled the old one": ({ hold, organization }) => {
    hold("old");
    organization.cancel(ada);
  },
  "where the answer is lost": async ({ create, atlas }) => {
    await create("old");
    atlas.fail({ method: "POST", cut: "after" });
  },
  "in the next run where Atlas rejects it in this one": async ({ create, run, old, atlas, hold }) => {
    await create("old");
    const errorCode = "MAX_USERS_PER_ORG_EXCEEDED";
    atlas.fail({ method: "POST", status: 400, body: { errorCode } });
    await expect(run.delete(old)).rejects.toMatchObject({ errorCode });
    hold("old");
  },
};

describe.each(APIS)("on $apiVersion, deleting a resource", (api) => {
  test.each(Object.entries(KEPT_BY))("leaves the person to the resource that %s", async (_, arrange) => {
    const fixture = await setup(api);
    await arrange(fixture);
    await fixture.expectNoChange(() => fixture.run.delete(fixture.old));
    expect(fixture.requests()).toEqual([]);
    expect(fixture.notices.at(-1)).toEqual(handedOver);
  });

  test.each([ada, newAddress])("leaves the member to the resource that declares %s", async (username) => {
    const { organization, accept, create, run, requests, expectNoChange, notices } = await setup(api);
    const old = await accept();
    if (username !== ada) organization.changeAddress(ada, username);
    await create("new", { username });
    await expectNoChange(() => run.delete(old));
    expect(requests()).toEqual([]);
    expect(notices.at(-1)).toEqual(handedOver);
  });

  test("leaves the person to the resource that only a look-up shows", async () => {
    const { organization, create, refresh, run, expectNoChange, notices, ...fixture } = await setup(api);
    organization.changeAddress(ada, newAddress);
    await create("new", { username: newAddress });
    const { userId, invitationId, ...old } = await refresh(fixture.old);
    expect(old).toMatchObject({ username: ada, knownAs: newAddress });
    await expectNoChange(() => run.delete(old));
    expect(notices.at(-1)).toEqual(handedOver);
  });

  test.each([
    ["an invited person", false, ada],
    ["a managed member", true, ada],
    ["a managed member with a new address", true, newAddress],
  ])("is an error after the creation of the other resource failed for %s", async (_, isMember, username) => {
    const fixture = await setup(api);
    const old = isMember ? await fixture.accept() : fixture.old;
    if (username !== ada) fixture.organization.changeAddress(ada, username);
    await failToCreate(fixture, username);
    await fixture.expectNoChange(async () => {
      await expect(fixture.run.delete(old)).rejects.toMatchObject({ kind: "successorFailed" });
    });
  });

  test.each(UNMANAGED)("keeps a member under %s if the other one is refused", async (onAccepted) => {
    const { accept, run, create, expectNoChange } = await setup(api, { onAccepted });
    const old = await accept();
    await expectNoChange(async () => {
      const created = create("new", { onAccepted: "fail" });
      await expect(created).rejects.toMatchObject(refusal("create", "ACTIVE, fail"));
      const deleted = run.delete(old);
      if (onAccepted === "retain") return deleted;
      await expect(deleted).rejects.toMatchObject(refusal("delete", "ACTIVE, fail"));
    });
  });

  test.each(Object.entries(ENDED))("ends %s", async (_, act) => {
    const fixture = await setup(api);
    await act(fixture);
    expect(fixture.organization.users).toEqual([]);
  });
});

describe.each(APIS)("on $apiVersion, replacing a resource by a new copy", (api) => {
  test("cancels the old invitation and sends one new one", async () => {
    const { organization, old, requests, run, atlas, create, notices } = await setup(api, {
      onAccepted: "fail",
    });
    const { createdAt } = await create("old", { roles: ["ORG_OWNER"] });
    expect(createdAt).toBe(old.createdAt);
    requests();
    await run.delete(old);
    expect(requests()).toEqual([api.lists[0], ...api.cancel, api.invite]);
    expect(organization.users).toMatchObject([{ status: "PENDING", roles: ["ORG_OWNER"] }]);
    const now = organization.find(ada);
    expect([now?.invitationId, now?.userId]).not.toContain(old.invitationId ?? old.userId);
    expect(atlas.mails).toHaveLength(2);
    expect(notices.slice(1)).toEqual([invitedAgain]);
  });

  test.each(Object.entries(RENEWED))("sends the new invitation once %s", async (_, arrange) => {
    const fixture = await setup(api);
    await arrange(fixture);
    await fixture.run.delete(fixture.old);
    expect(fixture.organization.users).toMatchObject([{ status: "PENDING" }]);
    expect(fixture.atlas.mails).toHaveLength(2);
  });

  test.each([
    ["sends a new invitation in place of the one", 2],
    ["keeps an invitation that is not the one", 1],
  ])("%s that another API version stored", async (_, mails) => {
    const { organization, connected, inputs, atlas } = await api.setup();
    const old = await connected({ invitationsApi: api.isUsers ? "v2" : "users" }).create(inputs(), "old");
    const before = organization.find(ada);
    const run = connected();
    await run.create(inputs(), "old");
    if (before && mails === 1) organization.restore({ ...before, createdAt: "2026-01-01T00:00:00Z" });
    await run.delete(old);
    expect(organization.users).toMatchObject([{ status: "PENDING" }]);
    expect(organization.find(ada)?.userId === before?.userId).toBe(mails === 1);
    expect(atlas.mails).toHaveLength(mails);
  });

  test("sends nothing where the creation replaced a rejected invitation", async () => {
    const { organization, old, run, refresh, create, atlas, requests, expectNoChange } = await setup(api);
    organization.reject(ada);
    const rejected = await refresh(old);
    await create("old");
    await expectNoChange(() => run.delete(rejected));
    expect(requests()).toEqual([]);
    expect(organization.users).toMatchObject([{ status: "PENDING" }]);
    expect(atlas.mails).toHaveLength(2);
  });

  const LATER = ["PENDING", "fail", "retain", "manage"] as const;

  test.each(LATER)("keeps a new invitation or member: %s", async (now) => {
    const options = now === "PENDING" ? {} : { onAccepted: now };
    const { organization, create, run, old, expectNoChange } = await setup(api, options);
    await create("old");
    if (now === "PENDING") organization.cancel(ada);
    if (now === "PENDING") organization.invite(ada);
    else organization.accept(ada);
    await expectNoChange(() => run.delete(old));
  });

  test("keeps the person who accepts while the old invitation is cancelled", async () => {
    const { old, run, create, during, organization, atlas } = await setup(api);
    await create("old");
    // The users API reads the status before its DELETE.
    const match = { method: api.isUsers ? "GET" : "DELETE", path: api.invitationPath };
    const accept = () => organization.accept(ada);
    await during(match, () => run.delete(old), accept);
    expect(organization.users).toMatchObject([{ status: "ACTIVE" }]);
    expect(atlas.mails).toHaveLength(1);
  });
});

describe.each(APIS)("on $apiVersion, operations on one person run one after the other, so that", (api) => {
  test("a person who is adopted first is kept", async () => {
    const { create, run, old, during, expectNoChange } = await setup(api);
    let deleted: Promise<void> | undefined;
    const startDelete = () => {
      deleted = run.delete(old);
    };
    await expectNoChange(async () => {
      await during({ method: "GET", path: /invites$|users\?/ }, () => create("new"), startDelete);
      await deleted;
    });
  });

  test("a person whose invitation is cancelled first is invited again", async () => {
    const { create, run, old, organization, atlas } = await setup(api);
    const [, created] = await Promise.all([run.delete(old), create("new")]);
    const now = organization.find(ada);
    expect(organization.users).toHaveLength(1);
    expect([now?.invitationId, now?.userId]).toContain(created.invitationId ?? created.userId);
    expect(atlas.mails).toHaveLength(2);
  });

  test("an operation runs although the one before it fails", async () => {
    const { run, inputs, old, organization, atlas } = await setup(api);
    atlas.fail({ method: "PATCH", ...notOwner });
    const changed = run.update(old, inputs({ roles: ["ORG_OWNER"] }));
    const deleted = run.delete(old);
    await expect(changed).rejects.toMatchObject(notOwner.body);
    await deleted;
    expect(organization.users).toEqual([]);
  });
});

// The users API is not known to ignore a field, or to answer with the invitation of another address.
describe.each(DEPRECATED_APIS)("on $apiVersion", (api) => {
  test("a new invitation that does not grant all that is declared is sent once, with a warning", async () => {
    const fixture = await setup(api, { ignoresOnCreate: ["teamIds"] });
    const { organization, old, run, create, connected, declarations, atlas, notices } = fixture;
    await create("old", { teamIds: [team] });
    atlas.fail({ method: "PATCH", ...notOwner });
    await run.delete(old);
    expect(organization.users).toMatchObject([{ username: ada, status: "PENDING", teamIds: [] }]);
    const warning = expect.stringMatching(/^warning: .*without everything that is declared/);
    expect(notices.slice(-2)).toEqual([warning, invitedAgain]);
    await connected({ declarations }).delete(old);
    expect(atlas.mails).toHaveLength(2);
  });

  test("the invitation that Atlas keeps for an alias of the address is not cancelled", async () => {
    const secondInvite = "keep";
    const storesUsername = (username: string) => username.replace(/\+[^@]*@/, "@");
    const { create, run, old, organization, atlas } = await setup(api, { secondInvite, storesUsername });
    const before = organization.users;
    await create("new", { username: "ada+atlas@example.com" });
    await run.delete(old);
    expect(organization.users).toEqual(before);
    expect(atlas.mails).toHaveLength(1);
  });
});
