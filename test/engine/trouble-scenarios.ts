import { expect, it } from "vitest";
import { answered, type Generation, withChallenge } from "./expected-requests.ts";
import { ADA, ALAN, GRACE } from "./fixtures.ts";
import { afterCreating, DESTROY, keyEnv, type StartStack, UP } from "./invitation-stack.ts";

/** What happens when somebody made a mistake, or Atlas leaves a question open. */
export function troubleStories(start: StartStack, { lists }: Generation): void {
  it("destroys what was cancelled outside only when Atlas says so, in whatever form", async () => {
    await using stack = await start();
    const { atlas, organization, expected } = stack;
    await stack.declare({ ada: {}, alan: {}, grace: {} });
    await stack.run(UP);
    const invited = { ada: stack.person(ADA), alan: stack.person(ALAN), grace: stack.person(GRACE) };
    for (const { username } of Object.values(invited)) organization.cancel(username);

    atlas.settings.goneAnswer = 400;
    for (const [index, path] of lists.entries()) {
      for (const status of [403, 501]) {
        atlas.fail({ path, status });
        const unknown = await stack.fail(`${DESTROY} --target ${stack.urn("ada")}`);
        const looks = expected.findOther.slice(0, index);
        const failed = answered(expected.findOther[index] ?? "", status);
        expect(unknown.requests).toEqual(
          withChallenge(expected.cancelGone(invited.ada, 400), [...looks, failed]),
        );
        expect(unknown.diagnostics.ada).toEqual([
          expect.stringMatching(
            `^error: It is unknown whether ${ADA} is invited to ${organization.id}, has accepted, or neither: .* answered ${status}`,
          ),
        ]);
        expect(await stack.workspace.resource("ada")).toBeDefined();
      }
    }

    const answers = [
      ["ada", 400, 400],
      ["alan", 404, 404],
      ["grace", "bare", 404],
    ] as const;
    for (const [name, goneAnswer, status] of answers) {
      atlas.settings.goneAnswer = goneAnswer;
      const destroyed = await stack.run(`${DESTROY} --target ${stack.urn(name)}`);
      expect(destroyed.requests).toEqual(
        withChallenge(expected.cancelGone(invited[name], status), expected.findOther),
      );
      expect(await stack.workspace.resource(name)).toBeUndefined();
    }
  });

  it("says what is wrong with a key or an organization, and never takes it for gone", async () => {
    await using stack = await start();
    const { atlas, organization, expected, key } = stack;
    const [look = ""] = expected.findOther;
    const otherOrganization = atlas.addOrganization();
    const otherKey = atlas.addApiKey({ organization: otherOrganization });
    const wrongKey = { publicKey: key.publicKey, privateKey: "not-the-private-key" };
    await stack.declare({ ada: {} });

    const refused = await stack.fail(UP, keyEnv(wrongKey));
    expect(refused.requests).toEqual([answered(look, "401 challenge"), answered(look, "401 challenge")]);
    expect(refused.diagnostics.ada).toEqual([
      expect.stringContaining(
        "read from the environment (MONGODB_ATLAS_PUBLIC_KEY and MONGODB_ATLAS_PRIVATE_KEY)",
      ),
    ]);
    expect(refused.output).not.toContain(wrongKey.privateKey);

    const foreign = await stack.fail(UP, keyEnv(otherKey));
    expect(foreign.requests).toEqual([answered(look, "401 challenge"), answered(look, 401)]);
    expect(foreign.diagnostics.ada).toEqual([expect.stringMatching(/another organization: check orgId/)]);

    const noOrganization = "0".repeat(24);
    await stack.declare({ ada: { orgId: noOrganization } });
    const nowhere = await stack.fail(UP);
    const lookThere = look.replace(organization.id, noOrganization);
    expect(nowhere.requests).toEqual([answered(lookThere, "401 challenge"), answered(lookThere, 404)]);
    expect(nowhere.diagnostics.ada).toEqual([
      expect.stringMatching(/Check orgId: there is no such organization/),
    ]);
    expect(organization.users).toEqual([]);

    await stack.declare({ ada: {} });
    await stack.run(UP);
    const [cancel = ""] = expected.cancel(stack.person(ADA));
    for (const [env, outcome] of [
      [keyEnv(wrongKey), "401 challenge"],
      [keyEnv(otherKey), 401],
    ] as const) {
      const kept = await stack.fail(DESTROY, env);
      expect(kept.requests).toEqual([answered(cancel, "401 challenge"), answered(cancel, outcome)]);
      expect(await stack.workspace.resource("ada")).toBeDefined();
    }
    expect(organization.users).toEqual([stack.person(ADA)]);
  });

  it("leaves alone what is not known yet, and names every mistake of a resource at once", async () => {
    await using stack = await start();
    const { organization, expected } = stack;
    const id = organization.addProject();
    const unknown = (value: unknown) => afterCreating("ada", value);
    await stack.declare({
      ada: {},
      grace: {
        orgId: unknown("nowhere"),
        username: "nobody",
        roles: ["GROUP_OWNER", unknown("ORG_MEMBER")],
        teamIds: ["a team"],
        groupRoleAssignments: [{ groupId: "a project", roles: [] }],
        onAccepted: "maybe",
        reinviteExpired: "often",
      },
    });
    const mistaken = await stack.fail("preview");
    const properties = mistaken.diagnostics.grace?.map((line) => /property (\S+) value/.exec(line)?.[1]);
    expect(properties).toEqual([
      "groupRoleAssignments[0].groupId",
      "groupRoleAssignments[0].roles",
      "onAccepted",
      "reinviteExpired",
      "roles[0]",
      "teamIds[0]",
      "username",
    ]);

    const groupRoleAssignments = [{ groupId: unknown(id), roles: [unknown("GROUP_OWNER")] }];
    await stack.declare({
      ada: {},
      alan: { orgId: unknown(organization.id), username: unknown(ALAN), roles: unknown(["ORG_OWNER"]) },
      grace: {
        roles: [unknown("ORG_OWNER"), "ORG_MEMBER"],
        teamIds: unknown([id]),
        groupRoleAssignments,
        onAccepted: unknown("retain"),
        reinviteExpired: unknown(true),
      },
    });
    const planned = await stack.run("preview");
    expect(planned.output).toContain("+ 4 to create");
    expect([...mistaken.requests, ...planned.requests]).toEqual([]);

    const { requests } = await stack.run(UP);
    expect(requests).toEqual(
      withChallenge(expected.findOther, expected.invite, expected.invite, expected.invite),
    );
    expect(stack.person(ALAN)).toMatchObject({ roles: ["ORG_OWNER"] });
    expect(stack.person(GRACE)).toMatchObject({
      roles: ["ORG_MEMBER", "ORG_OWNER"],
      teamIds: [id],
      groupRoleAssignments: [{ groupId: id, roles: ["GROUP_OWNER"] }],
    });
  });
}
