import { describe, expect, it } from "vitest";
import { lineWith, PHRASES } from "../support/message-phrases.ts";
import { USERS, unordered, V2, withChallenge } from "./expected-requests.ts";
import {
  ADA,
  ALAN,
  afterCreating,
  DESTROY,
  type Declaration,
  EDSGER,
  GRACE,
  HEDY,
  REFRESH,
  UP,
} from "./invitation-stack.ts";
import { startStack } from "./start-stack.ts";

// The engine creates the second resource of a person before it deletes the first.
describe.concurrent("a person whose resource is renamed or moved", () => {
  it("keeps the invitation, also in a run that refreshes first, while who is removed loses it", async () => {
    await using stack = await startStack();
    const { organization, atlas, expected } = stack;
    await stack.declare({ ada: {}, grace: {}, alan: {} });
    await stack.run(UP);
    const [ada, grace, alan] = [stack.person(ADA), stack.person(GRACE), stack.person(ALAN)];

    await stack.declare({ "ada-l": { username: "Ada@Example.com" }, grace: {} });
    const renamed = await stack.run(UP);
    expect(unordered(renamed.requests)).toEqual(unordered(expected.findInvited, expected.cancel(alan)));
    expect(renamed.diagnostics["people-dev"]).toMatch(
      lineWith(ADA, organization.id, PHRASES.declaredElsewhere),
    );
    expect(stack.people(ADA, GRACE)).toEqual([ada, grace]);
    expect(organization.users).toHaveLength(2);
    expect(Object.keys(await stack.resources()).sort()).toEqual(["ada-l", "grace"]);

    await stack.declare({ augusta: { username: ADA } });
    await stack.run(`${UP} --refresh`);
    expect(organization.users).toEqual([ada]);
    expect(await stack.outputs("augusta")).toMatchObject({ status: "PENDING" });
    expect(atlas.mails).toHaveLength(3);
    await stack.run(`${DESTROY} --refresh`);
    expect(organization.users).toEqual([]);
  });

  it("keeps the invitation across runs: the new resource by --target first, or after a run that failed", async () => {
    await using stack = await startStack();
    const { organization, atlas } = stack;
    await stack.declare({ ada: {} });
    await stack.run(UP);
    const ada = stack.person(ADA);

    await stack.declare({ "ada-l": { username: ADA } });
    await stack.run(`${UP} --target ${stack.urn("ada-l")}`);
    expect(Object.keys(await stack.resources()).sort()).toEqual(["ada", "ada-l"]);
    await stack.run(UP);
    expect(organization.users).toEqual([ada]);
    expect(Object.keys(await stack.resources())).toEqual(["ada-l"]);

    atlas.fail({ method: "POST", status: 400, body: { errorCode: "DOMAIN_NOT_IN_ALLOW_LIST" } });
    await stack.declare({ augusta: { username: ADA }, grace: {} });
    await stack.fail(UP);
    await stack.run(UP);
    expect(organization.users).toEqual([ada, stack.person(GRACE)]);
    expect(Object.keys(await stack.resources()).sort()).toEqual(["augusta", "grace"]);
  });

  it("keeps the invitation where the resource moves to a component, or to the process of another provider", async () => {
    await using stack = await startStack();
    const { organization, atlas } = stack;
    const provider = { options: { provider: "atlas" } };
    await stack.declare({ ada: {}, grace: {} });
    await stack.run(UP);
    const before = organization.users;

    await stack.declare({ ada: provider, grace: { options: { component: "team" } } });
    await stack.run(UP);
    expect(organization.users).toEqual(before);
    await stack.declare({ "ada-l": { username: ADA }, "grace-h": { username: GRACE, ...provider } });
    await stack.run(UP);
    expect(organization.users).toEqual(before);
    expect(atlas.mails).toHaveLength(2);
    await stack.run(DESTROY);
    expect(organization.users).toEqual([]);
  });
});

describe.concurrent("a list whose resources are named by position", () => {
  it.each([
    { who: "every invitation", version: V2, onAccepted: "fail", inSequence: false },
    { who: "every managed member", version: USERS, onAccepted: "manage", inSequence: true },
  ])("keeps $who where an entry is inserted at the front and removed again", async (row) => {
    await using stack = await startStack(row.version);
    const { organization, atlas } = stack;
    const list = [ADA, GRACE, ALAN];
    if (row.onAccepted === "manage") for (const username of list) organization.addMember(username);
    const declare = (usernames: string[]) => {
      const entries = usernames.map((address, index): [string, Declaration] => {
        const username = row.inSequence && index > 0 ? afterCreating(`p${index - 1}`, address) : address;
        return [`p${index}`, { username, onAccepted: row.onAccepted, roles: ["ORG_MEMBER"] }];
      });
      return stack.declare(Object.fromEntries(entries));
    };
    await declare(list);
    await stack.run(UP);
    const before = stack.people(...list);
    const mails = atlas.mails.length;

    for (const usernames of [[HEDY, ...list], list]) {
      await declare(usernames);
      await stack.run(UP);
      expect(stack.people(...list)).toEqual(before);
      expect(organization.users).toHaveLength(usernames.length);
      const stored = Object.entries(await stack.resources());
      expect(stored.map(([name, { outputs }]) => [name, outputs?.username]).sort()).toEqual(
        usernames.map((username, index) => [`p${index}`, username]),
      );
    }
    expect(atlas.mails.slice(mails).map(({ username }) => username)).toEqual([HEDY]);
    await stack.run("preview --refresh --expect-no-changes");
  });
});

describe.concurrent("another address", () => {
  it("is invited before the old invitation is cancelled, which stays where the new one is refused", async () => {
    await using stack = await startStack();
    const { organization, atlas, expected } = stack;
    await stack.declare({ ada: {} });
    await stack.run(UP);
    const ada = stack.person(ADA);

    await stack.declare({ ada: { username: EDSGER } });
    atlas.fail({ method: "POST", status: 400, body: { errorCode: "DOMAIN_NOT_IN_ALLOW_LIST" } });
    const refused = await stack.fail(UP);
    expect(refused.diagnostics.ada).toMatch(lineWith("error: ", EDSGER, "DOMAIN_NOT_IN_ALLOW_LIST"));
    expect(organization.users).toEqual([ada]);

    const replaced = await stack.run("up --yes");
    const [plan] = replaced.output.split("Updating (dev):");
    expect(plan).toContain("OrgInvitation ada replace [diff: ~username]");
    expect(replaced.requests).toEqual(
      withChallenge(expected.findOther, expected.invite, expected.cancel(ada)),
    );
    expect(organization.users).toEqual([stack.person(EDSGER)]);
  });
});

describe.concurrent("a forced replacement", () => {
  it.each([V2, USERS])("sends one new invitation, and keeps a managed member: $name", async (version) => {
    await using stack = await startStack(version);
    const { organization, atlas } = stack;
    organization.addMember(HEDY, { roles: ["ORG_MEMBER"] });
    const options = { replaceOnChanges: ["roles"] };
    const declarations = { ada: {}, grace: {}, alan: { options }, hedy: { onAccepted: "manage" } };
    await stack.declare(declarations);
    await stack.run(UP);
    const usernames = [ADA, GRACE, ALAN];
    const before = stack.people(...usernames);
    const member = stack.person(HEDY);

    await stack.declare({ ...declarations, alan: { options, roles: ["ORG_OWNER"] } });
    await stack.workspace.pulumi(["state", "taint", "--yes", stack.urn("grace")]);
    await stack.run(UP);
    expect(atlas.mails).toHaveLength(5);
    await stack.run(`${UP} --target-replace ${stack.urn("ada")} --target-replace ${stack.urn("hedy")}`);
    expect(atlas.mails).toHaveLength(6);

    expect(organization.users).toHaveLength(4);
    expect(stack.person(HEDY)).toEqual(member);
    expect(stack.person(ALAN).roles).toEqual(["ORG_OWNER"]);
    await stack.run(REFRESH);
    const resources = await stack.resources();
    for (const [index, { username, status, createdAt, userId }] of stack.people(...usernames).entries()) {
      expect({ username, status }).toEqual({ username, status: "PENDING" });
      expect(userId).not.toBe(before[index]?.userId);
      const name = username.slice(0, username.indexOf("@"));
      expect(resources[name]?.outputs).toMatchObject({ status: "PENDING", createdAt });
    }
    await stack.run("preview --expect-no-changes");
    await stack.run(DESTROY);
    expect(organization.users).toEqual([]);
  });
});
