import { describe, expect, test } from "vitest";
import { Declarations } from "../../../provider/lifecycle/declarations.ts";
import {
  APIS,
  type Api,
  ada,
  DEPRECATED_APIS,
  type FixtureOptions,
  newAddress,
  notOwner,
  refusal,
  team,
  UNMANAGED,
  withoutTag,
} from "./lifecycle-fixture.ts";

/*
 * Two resources declare one person, one after the other: Pulumi creates before it deletes a resource that is renamed,
 * moved or replaced. "old" is the resource of an earlier run, whose state is deleted in this run.
 */

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
  fixture.requests();
  const self = {
    ...fixture,
    old,
    declarations,
    announced,
    elsewhere,
    run,
    create,
    hold: (declaredBy: string) => declarations.add(old, { inputs: fixture.inputs(), declaredBy }),
    /** Ada accepts, which a read in another run stores in the state of "old". */
    accept: async () => {
      fixture.organization.accept(ada);
      self.old = await fixture.refresh(old);
    },
    /** Ada changes her address, by which a resource declares her then. */
    createRenamed: (declaredBy: string) => {
      fixture.organization.changeAddress(ada, newAddress);
      return create(declaredBy, { username: newAddress });
    },
  };
  return self;
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
  "is the same resource with another address of the person": ({ createRenamed }) => createRenamed("old"),
  "is in another process": ({ elsewhere, old }) => elsewhere.push(`${old.orgId} ${ada}`),
  "declares the member by another address": async ({ accept, createRenamed }) => {
    await accept();
    await createRenamed("new");
  },
  "only a look-up shows": async (fixture) => {
    await fixture.createRenamed("new");
    const { userId, invitationId, ...old } = await fixture.refresh(fixture.old);
    fixture.old = old;
  },
  "is incomplete, which the next run corrects": async ({ organization, atlas, create }) => {
    Object.assign(atlas.settings, { ignoresOnCreate: ["teamIds"], addsRoles: ["ORG_READ_ONLY"] });
    organization.cancel(ada);
    atlas.fail({ method: "PATCH", path: /(invites|users)\/[^?]+$/, status: 501, body: "" });
    await expect(create("new", { teamIds: [team] })).rejects.toMatchObject({ kind: "incompleteCreate" });
  },
};

/** What a deletion ends: how it comes to that. */
const ENDED: Record<string, Arrange> = {
  "the resource of a person who is gone, after another creation failed": async (fixture) => {
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
    declarations.remove(old);
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
  test.each(Object.entries(KEPT_BY))("leaves the person to the resource that %s", async (by, arrange) => {
    const fixture = await setup(api);
    await arrange(fixture);
    await fixture.expectNoChange(() => fixture.run.delete(fixture.old));
    expect(fixture.requests()).toEqual(by === "only a look-up shows" ? api.lists : []);
    expect(fixture.notices.at(-1)).toEqual(handedOver);
  });

  test.each([
    ["an invited person", false, ada],
    ["a managed member", true, ada],
    ["a managed member with a new address", true, newAddress],
  ])("is an error after the creation of the other resource failed for %s", async (_, isMember, username) => {
    const fixture = await setup(api);
    if (isMember) await fixture.accept();
    if (username !== ada) fixture.organization.changeAddress(ada, username);
    await failToCreate(fixture, username);
    await fixture.expectNoChange(async () => {
      const deleted = fixture.run.delete(fixture.old);
      await expect(deleted).rejects.toMatchObject({ kind: "successorFailed" });
    });
  });

  test.each(UNMANAGED)("keeps a member under %s if the other one is refused", async (onAccepted) => {
    const fixture = await setup(api, { onAccepted });
    await fixture.accept();
    await fixture.expectNoChange(async () => {
      const created = fixture.create("new", { onAccepted: "fail" });
      await expect(created).rejects.toMatchObject(refusal("create", "ACTIVE, fail"));
      const deleted = fixture.run.delete(fixture.old);
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
    const options = { onAccepted: "fail" } as const;
    const { organization, old, requests, run, atlas, create, notices } = await setup(api, options);
    await create("old", { roles: ["ORG_OWNER"] });
    requests();
    await run.delete(old);
    expect(requests()).toEqual([api.lists[0], ...api.cancel, api.invite]);
    expect(organization.users).toMatchObject([{ status: "PENDING", roles: ["ORG_OWNER"] }]);
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

  test.each(["PENDING", "fail", "retain", "manage"] as const)("keeps what came later: %s", async (now) => {
    const options = now === "PENDING" ? {} : { onAccepted: now };
    const { organization, create, run, old, expectNoChange } = await setup(api, options);
    await create("old");
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
    const options = { secondInvite: "keep", storesUsername: withoutTag } as const;
    const { create, run, old, organization, atlas } = await setup(api, options);
    const before = organization.users;
    await create("new", { username: "ada+atlas@example.com" });
    await run.delete(old);
    expect(organization.users).toEqual(before);
    expect(atlas.mails).toHaveLength(1);
  });
});
