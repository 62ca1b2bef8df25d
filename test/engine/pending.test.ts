import { describe, expect, it } from "vitest";
import { API_VERSIONS, unordered, V1, withChallenge } from "./expected-requests.ts";
import { ADA, DESTROY, GRACE, REFRESH, UP } from "./invitation-stack.ts";
import { startStack } from "./start-stack.ts";

describe.concurrent("a pending invitation", () => {
  it.each(API_VERSIONS)(
    "is sent once, updated in place, and cancelled with its resource: $name",
    async (version) => {
      await using stack = await startStack(version);
      const { atlas, organization, expected } = stack;
      await stack.declare({ ada: {}, grace: {} });
      const created = await stack.run(UP);
      expect(created.requests).toEqual(withChallenge(expected.findOther, expected.invite, expected.invite));
      const [ada, grace] = [stack.person(ADA), stack.person(GRACE)];
      expect(ada).toMatchObject({ status: "PENDING", roles: ["ORG_MEMBER"] });
      expect(await stack.outputs("ada")).toMatchObject({
        username: ADA,
        roles: ["ORG_MEMBER"],
        status: "PENDING",
        createdAt: ada.createdAt,
        expiresAt: ada.expiresAt,
      });

      const sameArguments = {
        orgId: organization.id.toUpperCase(),
        username: "Ada@Example.COM",
        roles: ["ORG_MEMBER", "ORG_MEMBER"],
      };
      await stack.declare({ ada: sameArguments, grace: {} });
      const unchanged = await stack.run(UP);
      expect(unchanged.requests).toEqual([]);
      expect(unchanged.output).toContain("3 unchanged");

      await stack.declare({ ada: { roles: ["ORG_OWNER"] }, grace: {} });
      const updated = await stack.run("up --yes --diff");
      const [plan] = updated.output.split("Updating (dev):");
      expect(plan).toContain('~ roles: [\n          ~ [0]: "ORG_MEMBER" => "ORG_OWNER"\n        ]\n');
      expect(updated.requests).toEqual(withChallenge(expected.change(ada)));
      expect(stack.person(ADA)).toEqual({ ...ada, roles: ["ORG_OWNER"] });

      await stack.declare({ grace: {} });
      expect((await stack.run(UP)).requests).toEqual(withChallenge(expected.cancel(ada)));
      expect(organization.users).toEqual([grace]);
      expect((await stack.run(DESTROY)).requests).toEqual(withChallenge(expected.cancel(grace)));
      expect(organization.users).toEqual([]);
      expect(atlas.mails).toHaveLength(2);
    },
  );

  it("shows what was changed or cancelled in Atlas, and restores it", async () => {
    await using stack = await startStack(V1);
    const { organization, expected } = stack;
    await stack.declare({ ada: {}, grace: {} });
    await stack.run(UP);
    const [ada, grace] = [stack.person(ADA), stack.person(GRACE)];
    organization.change(ADA, { roles: ["ORG_OWNER"] });
    organization.cancel(GRACE);

    const planned = await stack.run("preview --refresh --diff");
    expect(planned.output).toContain('~ [0]: "ORG_MEMBER" => "ORG_OWNER"');
    expect(planned.output).toContain('~ [0]: "ORG_OWNER" => "ORG_MEMBER"');
    expect(planned.requests).toEqual(withChallenge(expected.findOther));

    const refreshed = await stack.run(REFRESH);
    expect(refreshed.output).toContain("[diff: ~roles]");
    const resources = await stack.resources();
    expect(resources.ada?.outputs).toMatchObject({ roles: ["ORG_OWNER"] });
    expect(resources.grace).toBeUndefined();

    const restored = await stack.run(UP);
    expect(unordered(restored.requests)).toEqual(
      unordered(expected.change(ada), expected.findOther, expected.invite),
    );
    expect(stack.person(ADA)).toEqual(ada);
    expect(stack.person(GRACE)).toMatchObject({ status: "PENDING" });
    expect(stack.person(GRACE).invitationId).not.toBe(grace.invitationId);
  });
});
