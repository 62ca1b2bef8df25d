import { describe, expect, test } from "vitest";
import type { OrgInvitationState } from "../../../provider/lifecycle/org-invitation-state.ts";
import { propertiesOf } from "../../../provider/lifecycle/stored-properties.ts";
import type { Organization } from "../../support/simulated-atlas/organization.ts";
import { ada, GENERATIONS, lifecycleFixture } from "./lifecycle-fixture.ts";

/** What became of Ada after an invitation of hers was over. */
const SINCE: Record<string, (organization: Organization) => void> = {
  "nothing more": () => undefined,
  "a colleague has invited them again": (organization) => organization.invite(ada),
  "they have accepted another invitation": (organization) => {
    organization.invite(ada);
    organization.accept(ada);
  },
};

describe.each(GENERATIONS)("on %s", (generation) => {
  describe.each(["expire", "reject"] as const)("an invitation that the state knows as over (%s)", (end) => {
    async function startScene() {
      const scene = await lifecycleFixture(generation);
      const { organization, connected } = scene;
      const declared = scene.inputs({ onAccepted: "manage", reinviteExpired: true });
      const created = await connected().create(declared);
      organization[end](ada);
      // Whether Atlas goes on to tell what it granted is unknown.
      organization.rewrite(ada, (view) => ({ ...view, roles: {} }));
      const over = (await connected().read(created)) as OrgInvitationState;
      organization.rewrite(ada, (view) => view);
      expect(over).toMatchObject({
        status: end === "expire" ? "EXPIRED" : "REJECTED",
        roles: ["ORG_MEMBER"],
        declared: { roles: ["ORG_MEMBER"] },
      });
      return { ...scene, declared, over, [Symbol.asyncDispose]: () => scene.atlas.stop() };
    }

    test.each(Object.entries(SINCE))("is deleted without a request, also where %s", async (_, become) => {
      await using scene = await startScene();
      become(scene.organization);
      const before = scene.organization.users;
      scene.requests();
      await scene.connected().delete(scene.over);
      expect(scene.requests()).toEqual([]);
      expect(scene.organization.users).toEqual(before);
    });

    test.each(Object.entries(SINCE))("is replaced, which adopts where %s", async (since, become) => {
      await using scene = await startScene();
      become(scene.organization);
      const before = scene.organization.find(ada);
      const run = scene.connected();
      await run.delete(scene.over);
      const created = await run.create(scene.declared);
      const isSent = since === "nothing more";
      expect(scene.atlas.mails).toHaveLength(2);
      expect(created.status).toBe(before?.status === "ACTIVE" ? "ACCEPTED" : "PENDING");
      if (!isSent) expect(scene.organization.find(ada)).toEqual(before);
    });
  });

  test("a member under retain stays in the organization, which is said when the resource is destroyed", async () => {
    await using scene = await lifecycleFixture(generation);
    const { organization, inputs, connected, notices } = scene;
    const state = await connected().create(inputs({ onAccepted: "retain" }));
    organization.accept(ada);
    const before = organization.users;
    await connected().delete(state);
    expect(organization.users).toEqual(before);
    expect(notices).toEqual([`${ada} stays a member of ${organization.id}; the resource is forgotten.`]);
  });

  test("a member who left is told as one, and not as an invitation that was cancelled", async () => {
    await using scene = await lifecycleFixture(generation);
    const { organization, inputs, connected } = scene;
    const state = await connected().create(inputs({ onAccepted: "manage" }));
    organization.accept(ada);
    const accepted = (await connected().read(state)) as OrgInvitationState;
    organization.removeMember(ada);
    const changed = inputs({ onAccepted: "manage", roles: ["ORG_OWNER"] });
    await expect(connected().update(accepted, changed)).rejects.toThrow(
      `${ada} is no longer a member of ${organization.id}: they left, or were removed outside Pulumi. Run pulumi refresh, then pulumi up to invite them again.`,
    );
    expect(await connected().read(accepted)).toBeUndefined();
    await connected().delete(accepted);
    expect(scene.atlas.mails).toHaveLength(1);
  });

  test("what Atlas leaves out of its answers is in no text and no property", async () => {
    await using scene = await lifecycleFixture(generation);
    const { organization, inputs, connected, notices } = scene;
    const optional = [/^inviterUsername$/, /createdAt$/i, /expiresAt$/i, /^orgName$/];
    organization.rewrite(ada, (view) =>
      Object.fromEntries(
        Object.entries(view).filter(([name]) => !optional.some((pattern) => pattern.test(name))),
      ),
    );
    organization.invite(ada);
    const adopted = await connected().create(inputs());
    const read = (await connected().read(adopted)) as OrgInvitationState;
    const updated = await connected().update(read, inputs({ roles: ["ORG_OWNER"] }));
    organization.cancel(ada);
    const invited = await connected().create(inputs());
    organization.expire(ada);
    const expired = (await connected().read(invited)) as OrgInvitationState;
    const changed = connected().update(expired, inputs({ roles: ["ORG_OWNER"] }));
    const { message } = await changed.then(
      () => new Error("It was changed."),
      (error: Error) => error,
    );

    expect(message).toMatch(/^The invitation of .* expired, so it can no longer be changed\. /);
    expect(notices).toEqual([
      `${ada} was already invited to ${organization.id}: adopted the invitation; no other e-mail is sent. Destroying this resource cancels that invitation.`,
    ]);
    expect(message).not.toContain("undefined");
    expect([adopted, read, updated, invited, expired].map(({ status }) => status)).toEqual([
      ...Array(4).fill("PENDING"),
      "EXPIRED",
    ]);
    for (const state of [adopted, read, updated, invited, expired]) {
      const properties = propertiesOf(state);
      for (const name of ["inviterUsername", "createdAt", "expiresAt", "orgName"]) {
        expect(properties).not.toHaveProperty(name);
      }
      expect(Object.values(properties)).not.toContain(undefined);
    }
  });

  test.each([
    ["ORG_NOT_FOUND", 404],
    ["USER_CANNOT_ACCESS_ORG", 401],
  ] as const)(
    "an organization that is gone (%s) is an error with the ways out, and other resources go on",
    async (errorCode, status) => {
      await using scene = await lifecycleFixture(generation);
      const { organization, inputs, connected, atlas } = scene;
      const other = status === 401 ? atlas.addOrganization().id : "5f00000000000000000000ff";
      const state = { ...(await connected().create(inputs({ onAccepted: "manage" }))), orgId: other };
      const run = connected();
      const failed = await Promise.allSettled([
        run.read(state),
        run.update(state, { ...inputs({ roles: ["ORG_OWNER"] }), orgId: other }),
        connected().delete(state),
        connected().create(inputs({ orgId: other })),
        run.delete({ ...state, orgId: organization.id }),
      ]);
      expect(failed.pop()).toMatchObject({ status: "fulfilled" });
      expect(organization.users).toEqual([]);
      for (const { reason } of failed as PromiseRejectedResult[]) {
        expect(reason.message).toContain(errorCode);
        expect(reason.message).toContain("pulumi state delete");
        expect(reason.message).toContain("deletedWith");
      }
      expect(atlas.mails).toHaveLength(1);
    },
  );
});
