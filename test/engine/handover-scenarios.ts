import { expect, it } from "vitest";
import { withChallenge } from "./expected-requests.ts";
import { ADA, ALAN, EDSGER, GRACE } from "./fixtures.ts";
import {
  DESTROY,
  type Declaration,
  type InvitationStack,
  REFRESH,
  type StartStack,
  UP,
} from "./invitation-stack.ts";

const HEDY = "hedy@example.com";

/** Everything that a person has, and that they would miss. */
function kept(stack: InvitationStack, ...usernames: string[]) {
  return usernames.map((username) => stack.person(username));
}

/** A list whose resources are named by position, as `people.map((p, i) => new OrgInvitation("p" + i, …))` names them. */
function byPosition(usernames: string[], args: Declaration = {}): Record<string, Declaration> {
  return Object.fromEntries(usernames.map((username, index) => [`p${index}`, { username, ...args }]));
}

const isDeclared = (organizationId: string, username: string) =>
  `${username} in ${organizationId} is declared by another resource now: nothing was sent for the one that is deleted.`;

/** One person, two resources in a row: Pulumi creates the second before it deletes the first. */
export function handoverStories(start: StartStack): void {
  it("keeps the invitation of a person whose resource is renamed, sends no e-mail and no write", async () => {
    await using stack = await start();
    const { organization, atlas, expected } = stack;
    await stack.declare({ ada: {} });
    await stack.run(UP);
    const before = organization.users;

    await stack.declare({ "ada-l": { username: "Ada@Example.com" } });
    const renamed = await stack.run(UP);
    expect(renamed.requests).toEqual(withChallenge(expected.findInvited));
    expect(renamed.diagnostics["people-dev"]).toContain(isDeclared(organization.id, ADA));
    expect(organization.users).toEqual(before);
    expect(atlas.mails).toHaveLength(1);
    expect(await stack.outputs("ada-l")).toMatchObject({ status: "PENDING" });
    expect(await stack.workspace.resource("ada")).toBeUndefined();

    expect((await stack.run(UP)).requests).toEqual([]);
    await stack.run(DESTROY);
    expect(organization.users).toEqual([]);
  });

  it("tells who is renamed from who is removed in a run that refreshes first", async () => {
    await using stack = await start();
    const { organization } = stack;
    await stack.declare({ ada: {}, grace: {}, alan: {} });
    await stack.run(UP);
    const before = kept(stack, ADA, GRACE);

    await stack.declare({ "ada-l": { username: ADA }, grace: {} });
    await stack.run(`${UP} --refresh`);
    expect(kept(stack, ADA, GRACE)).toEqual(before);
    expect(organization.users).toHaveLength(2);
    await stack.run(`${DESTROY} --refresh`);
    expect(organization.users).toEqual([]);
  });

  it("names aliases first where the resource of a member is renamed under fail, and passes under retain", async () => {
    await using stack = await start();
    const { organization } = stack;
    await stack.declare({ ada: {} });
    await stack.run(UP);
    organization.accept(ADA);
    const before = organization.users;

    await stack.declare({ "ada-l": { username: ADA } });
    const refused = await stack.fail(UP);
    expect(refused.diagnostics["ada-l"]?.join()).toMatch(
      /already a member of .* If this resource was renamed or moved, give it aliases, .*"retain"/,
    );
    expect(organization.users).toEqual(before);
    expect(await stack.workspace.resource("ada")).toBeDefined();

    await stack.declare({ "ada-l": { username: ADA, onAccepted: "retain" } });
    await stack.run(UP);
    await stack.declare({});
    await stack.run(UP);
    expect(organization.users).toEqual(before);
  });

  it.each([
    { change: "somebody is inserted at", from: [ADA, GRACE, ALAN], to: [HEDY, ADA, GRACE, ALAN], mails: 1 },
    { change: "somebody is removed from", from: [HEDY, ADA, GRACE, ALAN], to: [ADA, GRACE, ALAN], mails: 0 },
  ])("keeps what everybody has where $change the front of a list named by position", async (shift) => {
    await using stack = await start();
    const { organization, atlas } = stack;
    await stack.declare(byPosition(shift.from));
    await stack.run(UP);
    const before = kept(stack, ADA, GRACE, ALAN);
    const mails = atlas.mails.length;

    await stack.declare(byPosition(shift.to));
    await stack.run(UP);
    expect(kept(stack, ADA, GRACE, ALAN)).toEqual(before);
    expect(atlas.mails.slice(mails).map(({ username }) => username)).toEqual(shift.mails ? [HEDY] : []);
    expect(organization.users.map(({ username }) => username).sort()).toEqual([...shift.to].sort());
    for (const [index, username] of shift.to.entries()) {
      expect(await stack.outputs(`p${index}`)).toMatchObject({ username, status: "PENDING" });
    }
    expect((await stack.run(REFRESH)).output).toContain("unchanged");
    expect((await stack.run(UP)).requests).toEqual([]);
  });

  it("sends one new invitation to somebody who rejected, by --target-replace, which the error names", async () => {
    await using stack = await start();
    const { organization, atlas } = stack;
    await stack.declare({ ada: {} });
    await stack.run(UP);
    organization.reject(ADA);
    await stack.run(REFRESH);
    await stack.declare({ ada: { roles: ["ORG_OWNER"] } });
    expect((await stack.fail(UP)).diagnostics.ada?.join()).toContain("pulumi up --target-replace");

    await stack.run(`${UP} --target-replace ${stack.urn("ada")}`);
    expect(organization.users).toEqual([stack.person(ADA)]);
    expect(stack.person(ADA)).toMatchObject({ status: "PENDING", roles: ["ORG_OWNER"] });
    expect(atlas.mails).toHaveLength(2);
    expect(await stack.outputs("ada")).toMatchObject({ status: "PENDING" });
  });

  it("leaves the order of a forced replacement to who sets deleteBeforeReplace", async () => {
    await using stack = await start();
    const { organization, atlas, expected } = stack;
    await stack.declare({ ada: { options: { deleteBeforeReplace: true } } });
    await stack.run(UP);
    const first = stack.person(ADA);
    const replaced = await stack.run(`${UP} --target-replace ${stack.urn("ada")}`);
    expect(replaced.requests).toEqual(
      withChallenge(expected.cancel(first), expected.findOther, expected.invite),
    );
    expect(organization.users).toEqual([stack.person(ADA)]);
    expect(atlas.mails).toHaveLength(2);
    expect(await stack.outputs("ada")).toMatchObject({ createdAt: stack.person(ADA).createdAt });
  });

  it("holds a renamed person across runs: the new resource first by --target, or after a run that failed", async () => {
    await using stack = await start();
    const { organization, atlas } = stack;
    await stack.declare({ ada: {} });
    await stack.run(UP);
    const before = kept(stack, ADA);

    await stack.declare({ "ada-l": { username: ADA } });
    await stack.run(`${UP} --target ${stack.urn("ada-l")}`);
    expect(await stack.workspace.resource("ada")).toBeDefined();
    await stack.run(UP);
    expect(kept(stack, ADA)).toEqual(before);
    expect(await stack.workspace.resource("ada")).toBeUndefined();

    atlas.fail({ method: "POST", status: 400, body: { errorCode: "DOMAIN_NOT_IN_ALLOW_LIST" } });
    await stack.declare({ augusta: { username: ADA }, grace: {} });
    await stack.fail(UP);
    await stack.run(UP);
    expect(kept(stack, ADA)).toEqual(before);
    expect(await stack.workspace.resource("ada-l")).toBeUndefined();

    // And nobody is kept whom nobody declares any more.
    await stack.declare({ grace: {} });
    await stack.run(UP);
    expect(organization.users).toEqual([stack.person(GRACE)]);
  });

  it("keeps a person whose resource is renamed and moves to another provider, which is another process", async () => {
    await using stack = await start();
    const { organization, atlas } = stack;
    await stack.declare({ ada: {}, grace: {} });
    await stack.run(UP);
    const before = kept(stack, ADA, GRACE);

    await stack.declare({ ada: { options: { provider: "atlas" } }, grace: {} });
    await stack.run(UP);
    expect(kept(stack, ADA, GRACE)).toEqual(before);
    await stack.declare({
      "ada-l": { username: ADA },
      "grace-h": { username: GRACE, options: { provider: "atlas" } },
    });
    await stack.run(UP);
    expect(kept(stack, ADA, GRACE)).toEqual(before);
    expect(atlas.mails).toHaveLength(2);

    await stack.run(DESTROY);
    expect(organization.users).toEqual([]);
  });

  it("invites the new address before it cancels the old one, and keeps the old one where the new one is refused", async () => {
    await using stack = await start();
    const { organization, atlas, expected } = stack;
    await stack.declare({ ada: {} });
    await stack.run(UP);
    const ada = stack.person(ADA);

    await stack.declare({ ada: { username: EDSGER } });
    atlas.fail({
      method: "POST",
      status: 400,
      body: { errorCode: "DOMAIN_NOT_IN_ALLOW_LIST", detail: "No." },
    });
    const refused = await stack.fail(UP);
    expect(refused.diagnostics.ada?.join()).toContain("DOMAIN_NOT_IN_ALLOW_LIST");
    expect(organization.users).toEqual([ada]);

    const replaced = await stack.run("up --yes");
    const [plan] = replaced.output.split("Updating (dev):");
    expect(plan).toContain("OrgInvitation ada replace [diff: ~username]");
    expect(replaced.requests).toEqual(
      withChallenge(expected.findOther, expected.invite, expected.cancel(ada)),
    );
    expect(organization.users).toEqual([stack.person(EDSGER)]);
  });

  it("renews the invitation where the user asks for a replacement by replaceOnChanges", async () => {
    await using stack = await start();
    const { organization, atlas } = stack;
    const options = { replaceOnChanges: ["roles"] };
    await stack.declare({ ada: { options } });
    await stack.run(UP);
    await stack.declare({ ada: { roles: ["ORG_OWNER"], options } });
    await stack.run(UP);
    expect(organization.users).toMatchObject([{ username: ADA, status: "PENDING", roles: ["ORG_OWNER"] }]);
    expect(atlas.mails).toHaveLength(2);
    expect((await stack.run(UP)).requests).toEqual([]);
  });
}

/** The same where the API itself could remove a member, or has another way to renew an invitation. */
export function riskyHandoverStories(start: StartStack): void {
  it("keeps a managed member whose resource is renamed and moved under a component", async () => {
    await using stack = await start();
    const { organization } = stack;
    await stack.declare({ ada: { onAccepted: "manage" } });
    await stack.run(UP);
    organization.accept(ADA);
    await stack.run(REFRESH);
    const before = organization.users;

    await stack.declare({ ada: { onAccepted: "manage", options: { component: "team" } } });
    await stack.run(UP);
    expect(organization.users).toEqual(before);
    await stack.declare({ "ada-l": { onAccepted: "manage", username: ADA } });
    await stack.run(UP);
    expect(organization.users).toEqual(before);

    await stack.run(DESTROY);
    expect(organization.users).toEqual([]);
  });

  it("keeps managed members where a list named by position is shifted, one after the other", async () => {
    await using stack = await start();
    const { organization } = stack;
    const args = { onAccepted: "manage" };
    await stack.declare(byPosition([ADA, GRACE], args));
    await stack.run(UP);
    organization.accept(ADA);
    organization.accept(GRACE);
    await stack.run(REFRESH);
    const before = kept(stack, ADA, GRACE);

    const { p0, p1, p2 } = byPosition([HEDY, ADA, GRACE], args);
    await stack.declare({
      p0: { ...p0 },
      p1: { ...p1, username: { afterCreating: "p0", value: ADA } },
      p2: { ...p2, username: { afterCreating: "p1", value: GRACE } },
    });
    await stack.run(UP);
    expect(kept(stack, ADA, GRACE)).toEqual(before);
    expect(stack.person(HEDY)).toMatchObject({ status: "PENDING" });
  });

  it.each(["--target-replace", "taint"])(
    "sends one new invitation to somebody pending by %s",
    async (way) => {
      await using stack = await start();
      const { organization, atlas } = stack;
      await stack.declare({ ada: {} });
      await stack.run(UP);
      const first = stack.person(ADA);

      if (way === "taint") await stack.workspace.pulumi(["state", "taint", "--yes", stack.urn("ada")]);
      await stack.run(way === "taint" ? UP : `${UP} --target-replace ${stack.urn("ada")}`);
      const { status, userId } = stack.person(ADA);
      expect(organization.users).toHaveLength(1);
      expect(status).toBe("PENDING");
      expect(userId).not.toBe(first.userId);
      expect(atlas.mails).toHaveLength(2);

      await stack.run(REFRESH);
      const { invitationId, expiresAt } = stack.person(ADA);
      const outputs = await stack.outputs("ada");
      expect(outputs).toMatchObject({ status: "PENDING", expiresAt });
      if (outputs?.invitationId) expect(outputs.invitationId).toBe(invitationId);
      expect((await stack.run(UP)).requests).toEqual([]);
      await stack.run(DESTROY);
      expect(organization.users).toEqual([]);
    },
  );

  it("keeps a managed member whose replacement is forced", async () => {
    await using stack = await start();
    const { organization, atlas } = stack;
    await stack.declare({ ada: { onAccepted: "manage" } });
    await stack.run(UP);
    organization.accept(ADA);
    await stack.run(REFRESH);
    const before = organization.users;
    await stack.run(`${UP} --target-replace ${stack.urn("ada")}`);
    expect(organization.users).toEqual(before);
    expect(atlas.mails).toHaveLength(1);
  });
}
