import { expect, it } from "vitest";
import type { SimulatedAtlas } from "../support/simulated-atlas/simulated-atlas.ts";
import { withChallenge } from "./expected-requests.ts";
import { ADA, GRACE } from "./fixtures.ts";
import { DESTROY, keyEnv, REFRESH, type StartStack, UP } from "./invitation-stack.ts";

/** The bodies of the requests that change something. */
function sentBodies({ requests }: SimulatedAtlas): unknown[] {
  return requests
    .filter(({ method, authenticated }) => authenticated && method !== "GET")
    .map(({ body }) => body);
}

/** What a program declares is sent, compared and taken away, and nothing else. */
export function declaredStories(start: StartStack): void {
  it("leaves alone the teams and project roles that are not declared, and shows them in the outputs", async () => {
    await using stack = await start();
    const { organization, atlas } = stack;
    await stack.declare({ ada: {} });
    await stack.run(UP);
    expect(sentBodies(atlas)).toEqual([{ username: ADA, roles: ["ORG_MEMBER"] }]);

    const teamIds = [organization.addTeam()];
    const groupRoleAssignments = [{ groupId: organization.addProject(), roles: ["GROUP_OWNER"] }];
    organization.change(ADA, { teamIds, groupRoleAssignments });
    const planned = await stack.run("preview --refresh --diff --expect-no-changes");
    expect(planned.output).toContain("2 unchanged");
    await stack.run(REFRESH);
    expect(await stack.outputs("ada")).toMatchObject({ teamIds, groupRoleAssignments });

    await stack.declare({ ada: { roles: ["ORG_OWNER"] } });
    await stack.run(UP);
    expect(sentBodies(atlas)).toEqual([{ roles: ["ORG_OWNER"] }]);
    expect(stack.person(ADA)).toMatchObject({ roles: ["ORG_OWNER"], teamIds, groupRoleAssignments });
  });

  it("takes back what was declared and is no longer, and leaves what others gave", async () => {
    await using stack = await start();
    const { organization } = stack;
    const [declared = "", given = ""] = [organization.addTeam(), organization.addTeam()];
    await stack.declare({ ada: { teamIds: [declared] }, grace: { teamIds: [declared] } });
    await stack.run(UP);
    organization.change(ADA, { teamIds: [declared, given] });

    await stack.declare({ ada: {}, grace: { teamIds: [] } });
    const planned = await stack.run("up --yes --diff");
    expect(planned.output).toContain(`- teamIds: [\n      -     [0]: "${declared}"`);
    expect(planned.output).not.toContain("__");
    expect(stack.person(ADA).teamIds).toEqual([given]);
    expect(stack.person(GRACE).teamIds).toEqual([]);

    organization.change(GRACE, { teamIds: [given] });
    const drift = await stack.run("preview --refresh --diff");
    expect(drift.output).toContain(`- [0]: "${given}"`);
  });

  it("sends only the role that changes where ignoreChanges names the teams", async () => {
    await using stack = await start();
    const { organization, atlas } = stack;
    const [first = "", second = ""] = [organization.addTeam(), organization.addTeam()];
    const options = { ignoreChanges: ["teamIds"] };
    await stack.declare({ ada: { teamIds: [first], options } });
    await stack.run(UP);
    organization.change(ADA, { teamIds: [second] });
    await stack.declare({ ada: { teamIds: [first], roles: ["ORG_OWNER"], options } });
    await stack.run(UP);
    expect(sentBodies(atlas)).toEqual([{ roles: ["ORG_OWNER"] }]);
    expect(stack.person(ADA)).toMatchObject({ roles: ["ORG_OWNER"], teamIds: [second] });
  });

  it("shows in a plan what a managed member will lose, and takes nothing that no plan named", async () => {
    await using stack = await start();
    const { organization } = stack;
    await stack.declare({ ada: { onAccepted: "manage" } });
    await stack.run(UP);
    organization.accept(ADA);
    await stack.run(REFRESH);
    organization.change(ADA, { roles: ["ORG_MEMBER", "ORG_BILLING_ADMIN"] });

    await stack.declare({ ada: { onAccepted: "manage", roles: ["ORG_READ_ONLY"] } });
    await stack.run(UP);
    expect(stack.person(ADA).roles.toSorted()).toEqual(["ORG_BILLING_ADMIN", "ORG_READ_ONLY"]);
    const planned = await stack.run("up --yes --refresh --diff");
    expect(planned.output).toContain('"ORG_BILLING_ADMIN" => "ORG_READ_ONLY"');
    expect(stack.person(ADA).roles).toEqual(["ORG_READ_ONLY"]);
  });

  it("brings a member to what is declared once told to manage them", async () => {
    await using stack = await start();
    const { organization } = stack;
    await stack.declare({ ada: {} });
    await stack.run(UP);
    organization.accept(ADA);
    organization.change(ADA, { roles: ["ORG_OWNER"] });
    await stack.run(REFRESH);
    await stack.declare({ ada: { onAccepted: "manage" } });
    await stack.run(UP);
    expect(stack.person(ADA).roles).toEqual(["ORG_MEMBER"]);
    expect((await stack.run(`${UP} --refresh`)).output).toContain("2 unchanged");
  });

  it("keeps the resource of a member whose address changed in Atlas, and takes the new address for no other person", async () => {
    await using stack = await start();
    const { organization, atlas, expected } = stack;
    const lovelace = "lovelace@example.com";
    await stack.declare({ ada: { onAccepted: "manage" } });
    await stack.run(UP);
    organization.accept(ADA);
    await stack.run(REFRESH);
    organization.changeAddress(ADA, lovelace);

    const refreshed = await stack.run(`${UP} --refresh`);
    expect(refreshed.diagnostics["people-dev"]).toEqual([
      `${ADA} is ${lovelace} in ${organization.id}, by the id: it is the same person.`,
    ]);
    expect(refreshed.requests).toEqual(withChallenge(expected.findOther));
    await stack.declare({ ada: { username: lovelace, onAccepted: "manage" } });
    const renamed = await stack.run("up --yes");
    expect(renamed.output).toContain("OrgInvitation ada update [diff: ~username]");
    expect(renamed.requests).toEqual([]);
    expect(atlas.mails).toHaveLength(1);
    await stack.run(DESTROY);
    expect(organization.users).toEqual([]);
  });

  it("shows in a pull request who accepted with a key that may only read", async () => {
    await using stack = await start();
    const { organization, atlas } = stack;
    await stack.declare({ ada: {} });
    await stack.run(UP);
    organization.accept(ADA);
    for (const notOwnerCode of ["NOT_ORG_OWNER", "USER_UNAUTHORIZED"] as const) {
      atlas.settings.notOwnerCode = notOwnerCode;
      const reader = keyEnv(atlas.addApiKey({ organization, roles: ["ORG_READ_ONLY"] }));
      const planned = await stack.run("preview --refresh", reader);
      expect(planned.output).toContain("OrgInvitation ada refresh [diff: +status]");
      await stack.declare({ ada: {}, grace: {} });
      const refused = await stack.fail(UP, reader);
      expect(refused.diagnostics.grace?.join()).toContain("needs the role Organization Owner");
      await stack.declare({ ada: {} });
    }
  });

  it("keeps the status of somebody whose organization and address are secret", async () => {
    await using stack = await start();
    await stack.declare({ ada: { secrets: ["orgId", "username"] } });
    await stack.run(UP);
    expect(await stack.outputs("ada")).toMatchObject({ status: "PENDING" });
    const again = await stack.run("up --yes --diff --expect-no-changes");
    expect(again.requests).toEqual([]);
    stack.organization.accept(ADA);
    expect((await stack.run("preview --refresh --diff")).output).toContain(
      'status              : "PENDING" => "ACCEPTED"',
    );
    await stack.run(REFRESH);
    expect(await stack.outputs("ada")).toMatchObject({ status: "ACCEPTED" });
    await stack.run("preview --expect-no-changes");
  });

  it("names an argument that is missing, and not a person who is declared twice", async () => {
    await using stack = await start();
    await stack.declare({ ada: { username: null }, grace: { username: null } });
    const { output, requests } = await stack.fail("preview");
    expect(output).toContain("username");
    expect(output).not.toContain("declared twice");
    expect(requests).toEqual([]);
  });

  it("works with a provider of its own where default providers are disabled", async () => {
    await using stack = await start();
    await stack.workspace.config({ "pulumi:disable-default-providers": '["*"]' });
    await stack.declare({ ada: {} });
    expect((await stack.fail(UP)).output).toMatch(/[Dd]efault provider for 'pulumi-nodejs' disabled/);
    await stack.declare({ ada: { options: { provider: "atlas" } } });
    await stack.run(UP);
    expect(stack.person(ADA)).toMatchObject({ status: "PENDING" });
    await stack.run(DESTROY);
    expect(stack.organization.users).toEqual([]);
  });

  it("invites nobody after Ctrl-C while invitations wait for the throttle", async () => {
    await using stack = await start();
    const { atlas } = stack;
    atlas.settings.invitationThrottle = { limit: 1 };
    await stack.declare({ ada: {}, grace: {}, alan: {} });
    const throttled = new Promise<void>((resolve) => {
      const stop = atlas.onRequest((request, stage) => {
        if (request.errorCode !== "INVITATIONS_RATE_LIMITED_IP" || stage !== "answered") return;
        stop();
        resolve();
      });
    });
    const mails = atlas.mails.length;
    const { exitCode, output } = await stack.workspace.pulumi(UP.split(" "), {
      allowFailure: true,
      timeoutMs: 50_000,
      onStart: (child) => void throttled.then(() => setTimeout(() => process.kill(child.pid, "SIGINT"), 500)),
    });
    expect(exitCode).not.toBe(0);
    expect(output).toContain("was cancelled before");
    expect(atlas.mails.length - mails).toBe(1);
  });
}
