import { describe, expect, it } from "vitest";
import { ADA, DESTROY, GRACE, type InvitationStack, REFRESH, UP } from "./invitation-stack.ts";
import { startStack } from "./start-stack.ts";

/** The bodies of the requests that change something. */
function sentBodies({ atlas }: InvitationStack): unknown[] {
  return atlas.requests
    .filter(({ method, authenticated }) => authenticated && method !== "GET")
    .map(({ body }) => body);
}

describe.concurrent("what a program declares", () => {
  it("is all that is sent: other teams and project roles stay, and only outputs show them", async () => {
    await using stack = await startStack();
    const { organization } = stack;
    await stack.declare({ ada: {} });
    await stack.run(UP);
    expect(sentBodies(stack)).toEqual([{ username: ADA, roles: ["ORG_MEMBER"] }]);

    const teamIds = [organization.addTeam()];
    const groupRoleAssignments = [{ groupId: organization.addProject(), roles: ["GROUP_OWNER"] }];
    organization.change(ADA, { teamIds, groupRoleAssignments });
    const planned = await stack.run("preview --refresh --diff --expect-no-changes");
    expect(planned.output).toContain("2 unchanged");
    await stack.run(REFRESH);
    expect(await stack.outputs("ada")).toMatchObject({ teamIds, groupRoleAssignments });

    await stack.declare({ ada: { roles: ["ORG_OWNER"] } });
    await stack.run(UP);
    expect(sentBodies(stack)).toEqual([{ roles: ["ORG_OWNER"] }]);
    expect(stack.person(ADA)).toMatchObject({ roles: ["ORG_OWNER"], teamIds, groupRoleAssignments });
  });

  it("is taken back once it is no longer declared, and what others gave stays", async () => {
    await using stack = await startStack();
    const { organization } = stack;
    const [declared = "", given = ""] = [organization.addTeam(), organization.addTeam()];
    await stack.declare({ ada: { teamIds: [declared] }, grace: { teamIds: [declared] } });
    await stack.run(UP);
    organization.change(ADA, { teamIds: [declared, given] });

    await stack.declare({ ada: {}, grace: { teamIds: [] } });
    const updated = await stack.run("up --yes --diff");
    expect(updated.output).toContain(`- teamIds: [\n      -     [0]: "${declared}"`);
    expect(updated.output).not.toContain("__");
    expect(stack.person(ADA).teamIds).toEqual([given]);
    expect(stack.person(GRACE).teamIds).toEqual([]);

    organization.change(GRACE, { teamIds: [given] });
    const drift = await stack.run("preview --refresh --diff");
    expect(drift.output).toContain(`- [0]: "${given}"`);
  });

  it("is sent without the arguments that ignoreChanges names", async () => {
    await using stack = await startStack();
    const { organization } = stack;
    const [first = "", second = ""] = [organization.addTeam(), organization.addTeam()];
    const options = { ignoreChanges: ["teamIds"] };
    await stack.declare({ ada: { teamIds: [first], options } });
    await stack.run(UP);
    organization.change(ADA, { teamIds: [second] });
    await stack.declare({ ada: { teamIds: [first], roles: ["ORG_OWNER"], options } });
    await stack.run(UP);
    expect(sentBodies(stack)).toEqual([{ roles: ["ORG_OWNER"] }]);
    expect(stack.person(ADA)).toMatchObject({ roles: ["ORG_OWNER"], teamIds: [second] });
  });

  it("works with a provider of its own where default providers are disabled", async () => {
    await using stack = await startStack();
    await stack.workspace.config({ "pulumi:disable-default-providers": '["*"]' });
    await stack.declare({ ada: { options: { provider: "atlas" } } });
    await stack.run(UP);
    expect(stack.person(ADA)).toMatchObject({ status: "PENDING" });
    await stack.run(DESTROY);
    expect(stack.organization.users).toEqual([]);
  });
});
