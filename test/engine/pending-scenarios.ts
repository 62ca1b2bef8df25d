import { expect, it } from "vitest";
import { withChallenge } from "./expected-requests.ts";
import { ADA, GRACE } from "./fixtures.ts";
import { DESTROY, REFRESH, type StartStack, UP } from "./invitation-stack.ts";

/** What becomes of an invitation as long as it is pending. */
export function pendingStories(start: StartStack): void {
  it("invites, sends nothing while nothing changes, and grants other roles in place", async () => {
    await using stack = await start();
    const { organization, expected } = stack;
    await stack.declare({ ada: {} });
    const created = await stack.run(UP);
    expect(created.requests).toEqual(withChallenge(expected.findOther, expected.invite));
    const invited = stack.person(ADA);
    expect(organization.users).toEqual([invited]);
    expect(invited).toMatchObject({ status: "PENDING", roles: ["ORG_MEMBER"] });
    expect(await stack.outputs("ada")).toMatchObject({
      username: ADA,
      roles: ["ORG_MEMBER"],
      status: "PENDING",
      createdAt: invited.createdAt,
      expiresAt: invited.expiresAt,
    });

    expect((await stack.run(UP)).requests).toEqual([]);

    const otherSpelling = { orgId: organization.id.toUpperCase(), username: "Ada@Example.COM" };
    await stack.declare({ ada: { ...otherSpelling, roles: ["ORG_MEMBER", "ORG_MEMBER"] } });
    const respelled = await stack.run(UP);
    expect(respelled.requests).toEqual([]);
    expect(respelled.output).toContain("2 unchanged");

    await stack.declare({ ada: { roles: ["ORG_OWNER"] } });
    const changed = await stack.run("up --yes --diff");
    const [plan] = changed.output.split("Updating (dev):");
    expect(plan).toContain('~ roles: [\n          ~ [0]: "ORG_MEMBER" => "ORG_OWNER"\n        ]\n');
    expect(changed.requests).toEqual(withChallenge(expected.change(invited)));
    expect(organization.users).toEqual([{ ...invited, roles: ["ORG_OWNER"] }]);
    expect(stack.atlas.mails).toHaveLength(1);
  });

  it("shows what was changed in Atlas, and changes it back", async () => {
    await using stack = await start();
    const { organization, expected } = stack;
    await stack.declare({ ada: {} });
    await stack.run(UP);
    const invited = stack.person(ADA);
    organization.change(ADA, { roles: ["ORG_OWNER"] });

    const planned = await stack.run("preview --refresh --diff");
    expect(planned.output).toContain('~ [0]: "ORG_MEMBER" => "ORG_OWNER"');
    expect(planned.output).toContain('~ [0]: "ORG_OWNER" => "ORG_MEMBER"');
    expect(planned.requests).toEqual(withChallenge(expected.findInvited));

    const refreshed = await stack.run(REFRESH);
    expect(refreshed.output).toContain("[diff: ~roles]");
    expect(refreshed.requests).toEqual(withChallenge(expected.findInvited));
    expect(await stack.outputs("ada")).toMatchObject({ roles: ["ORG_OWNER"] });

    expect((await stack.run(UP)).requests).toEqual(withChallenge(expected.change(invited)));
    expect(organization.users).toEqual([invited]);
  });

  it("drops an invitation that was cancelled outside, and invites again", async () => {
    await using stack = await start();
    const { organization, expected } = stack;
    await stack.declare({ ada: {} });
    await stack.run(UP);
    const { invitationId } = stack.person(ADA);
    organization.cancel(ADA);

    expect((await stack.run(REFRESH)).requests).toEqual(withChallenge(expected.findOther));
    expect(await stack.workspace.resource("ada")).toBeUndefined();

    expect((await stack.run(UP)).requests).toEqual(withChallenge(expected.findOther, expected.invite));
    expect(stack.person(ADA)).toMatchObject({ status: "PENDING" });
    expect(stack.person(ADA).invitationId).not.toBe(invitationId);
  });

  it("cancels a pending invitation when its resource goes, and when the stack goes", async () => {
    await using stack = await start();
    const { organization, expected } = stack;
    await stack.declare({ ada: {}, grace: {} });
    await stack.run(UP);
    const [ada, grace] = [stack.person(ADA), stack.person(GRACE)];

    await stack.declare({ grace: {} });
    expect((await stack.run(UP)).requests).toEqual(withChallenge(expected.cancel(ada)));
    expect(organization.users).toEqual([grace]);

    expect((await stack.run(DESTROY)).requests).toEqual(withChallenge(expected.cancel(grace)));
    expect(organization.users).toEqual([]);
  });
}
