import { describe, expect, it } from "vitest";
import { lineWith, PHRASES } from "../support/message-phrases.ts";
import { answered, withChallenge } from "./expected-requests.ts";
import { ADA, ALAN, afterCreating, DESTROY, GRACE, keyEnv, UP } from "./invitation-stack.ts";
import { startStack } from "./start-stack.ts";

describe.concurrent("an error", () => {
  it("names the source of a wrong key, and the role that a key lacks, which a preview does not need", async () => {
    await using stack = await startStack();
    const { atlas, organization, expected, key } = stack;
    const [list = ""] = expected.findOther;
    const wrongKey = { publicKey: key.publicKey, privateKey: "not-the-private-key" };
    await stack.declare({ ada: {} });
    const refused = await stack.fail(UP, keyEnv(wrongKey));
    expect(refused.requests).toEqual([answered(list, "401 challenge"), answered(list, "401 challenge")]);
    expect(refused.diagnostics.ada).toMatch(
      lineWith("error: ", ADA, "MONGODB_ATLAS_PUBLIC_KEY", "MONGODB_ATLAS_PRIVATE_KEY"),
    );
    expect(refused.output).not.toContain(wrongKey.privateKey);

    await stack.run(UP);
    const invited = stack.person(ADA);
    organization.accept(ADA);
    const readOnly = keyEnv(atlas.addApiKey({ organization, roles: ["ORG_READ_ONLY"] }));
    const planned = await stack.run("preview --refresh", readOnly);
    expect(planned.output).toContain("OrgInvitation ada refresh [diff: +status]");
    await stack.declare({ ada: {}, grace: {} });
    expect((await stack.fail(UP, readOnly)).diagnostics.grace).toMatch(lineWith(GRACE, PHRASES.needsOwner));

    const otherKey = atlas.addApiKey({ organization: atlas.addOrganization() });
    const [cancel = ""] = expected.cancel(invited);
    const kept = await stack.fail(DESTROY, keyEnv(otherKey));
    expect(kept.requests).toEqual([answered(cancel, "401 challenge"), answered(cancel, 401)]);
    expect(await stack.outputs("ada")).toBeDefined();
    expect(organization.users).toHaveLength(1);
  });

  it("names every wrong argument at once, next to values that are not known yet", async () => {
    await using stack = await startStack();
    const { organization, expected } = stack;
    const id = organization.addProject();
    const unknown = (value: unknown) => afterCreating("ada", value);
    await stack.declare({
      ada: {},
      grace: {
        orgId: unknown("nowhere"),
        username: "nobody",
        roles: ["GROUP_OWNER", unknown("ORG_MEMBER")],
        groupRoleAssignments: [{ groupId: "a project", roles: [] }],
        onAccepted: "maybe",
      },
    });
    const wrong = await stack.fail("preview");
    const properties = wrong.diagnostics.grace?.matchAll(/property (\S+) value/g) ?? [];
    expect(Array.from(properties, ([, property]) => property)).toEqual([
      "groupRoleAssignments[0].groupId",
      "groupRoleAssignments[0].roles",
      "onAccepted",
      "roles[0]",
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
    expect([...wrong.requests, ...planned.requests]).toEqual([]);

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

  it("names both resources that declare one person, and is only a warning for an unknown role", async () => {
    await using stack = await startStack();
    const { organization, expected } = stack;
    await stack.declare({ ada: {} });
    await stack.run(UP);
    const invited = stack.person(ADA);

    for (const username of ["Ada@Example.com", afterCreating("ada", ADA)]) {
      await stack.declare({ ada: {}, lovelace: { username } });
      const twice = await stack.fail(UP);
      expect(twice.diagnostics["people-dev"]).toMatch(
        lineWith("error: ", ADA, organization.id, PHRASES.declaredTwice, '"ada"', '"lovelace"'),
      );
      expect(twice.requests).toEqual([]);
    }

    await stack.declare({ ada: { roles: ["ORG_JESTER"] } });
    const warned = await stack.run(UP);
    expect(warned.diagnostics).toEqual({
      "people-dev": expect.stringMatching(lineWith("warning: ", ADA, PHRASES.unknownRole, "ORG_JESTER")),
    });
    expect(warned.requests).toEqual(withChallenge(expected.change(invited)));
    expect(organization.users).toEqual([{ ...invited, roles: ["ORG_JESTER"] }]);
  });
});
