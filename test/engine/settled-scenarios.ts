import { expect, it } from "vitest";
import { withChallenge } from "./expected-requests.ts";
import { ADA, ALAN, EDSGER, GRACE } from "./fixtures.ts";
import { afterCreating, DESTROY, REFRESH, type StartStack, UP } from "./invitation-stack.ts";

/** What becomes of an invitation that was accepted, or ran out, and of people who were there before. */
export function settledStories(start: StartStack): void {
  it("refuses to destroy what was accepted, until told to retain the member", async () => {
    await using stack = await start();
    const { organization, expected } = stack;
    await stack.declare({ ada: {} });
    await stack.run(UP);
    const invited = stack.person(ADA);
    organization.accept(ADA);
    const member = stack.person(ADA);

    const refused = await stack.fail(DESTROY);
    expect(refused.diagnostics).toEqual({
      ada: [
        `error: ${ADA} has accepted the invitation to ${organization.id}, so it can no longer be deleted. Set onAccepted to "retain" (keep the member, forget the invitation) or "manage" (remove the member), run pulumi up, then destroy again. If the program no longer declares them, pulumi state delete and the URN forgets the resource and keeps the member.`,
      ],
      "people-dev": ["OrgInvitation delete: see its error", "error: update failed"],
    });
    expect(refused.requests).toEqual(withChallenge(expected.cancelAccepted(invited), expected.findOther));
    expect(await stack.workspace.resource("ada")).toBeDefined();

    await stack.declare({ ada: { onAccepted: "retain" } });
    expect((await stack.run(UP)).requests).toEqual([]);
    const forgotten = await stack.run(DESTROY);
    expect(forgotten.diagnostics["people-dev"]).toEqual([
      `${ADA} stays a member of ${organization.id}; the resource is forgotten.`,
    ]);
    expect(forgotten.requests).toEqual(withChallenge(expected.cancelAccepted(invited), expected.findOther));
    expect(organization.users).toEqual([member]);
    expect(await stack.workspace.resource("ada")).toBeUndefined();
  });

  it("shows who accepted, and removes the member only once told to manage them", async () => {
    await using stack = await start();
    const { organization, expected } = stack;
    await stack.declare({ ada: {} });
    await stack.run(UP);
    organization.accept(ADA);
    const member = stack.person(ADA);

    const planned = await stack.run("preview --refresh");
    expect(planned.output).toContain("OrgInvitation ada refresh [diff: +status]");
    expect(planned.requests).toEqual(withChallenge(expected.findOther));
    expect((await stack.run(REFRESH)).requests).toEqual(withChallenge(expected.findOther));
    expect(await stack.outputs("ada")).toMatchObject({ status: "ACCEPTED", userId: member.userId });

    await stack.declare({ ada: { roles: ["ORG_OWNER"] } });
    const unchanged = await stack.fail(UP);
    expect(unchanged.diagnostics.ada).toEqual([
      `error: ${ADA} has accepted the invitation to ${organization.id}, so it can no longer be changed. Set onAccepted to "manage" (change the member, and remove them on destroy), or take the change back and set it to "retain" (keep the member as they are).`,
    ]);
    expect(unchanged.requests).toEqual(withChallenge(expected.findOther));
    expect((await stack.fail(DESTROY)).requests).toEqual(withChallenge(expected.findOther));
    expect(organization.users).toEqual([member]);

    await stack.declare({ ada: { onAccepted: "manage" } });
    expect((await stack.run(UP)).requests).toEqual([]);
    await stack.declare({ ada: { onAccepted: "manage", roles: ["ORG_OWNER"] } });
    expect((await stack.run(UP)).requests).toEqual(
      withChallenge(expected.findOther, expected.changeMember(member)),
    );
    expect(organization.users).toEqual([{ ...member, roles: ["ORG_OWNER"] }]);

    const removed = await stack.run(DESTROY);
    expect(removed.requests).toEqual(withChallenge(expected.findOther, expected.removeMember(member)));
    expect(organization.users).toEqual([]);
  });

  it("adopts who is invited already, and treats members as declared", async () => {
    await using stack = await start();
    const { atlas, organization, expected } = stack;
    const access = { roles: ["ORG_READ_ONLY"] };
    organization.invite("Ada@Example.com", access);
    const ada = stack.person(ADA);
    const alan = organization.addMember(ALAN, access);
    const grace = organization.addMember(GRACE, access);
    const edsger = organization.addMember(EDSGER, access);
    // One after the other, so that the order of the requests is certain.
    await stack.declare({
      ada: {},
      alan: { username: afterCreating("ada", ALAN), onAccepted: "retain" },
      grace: { username: afterCreating("alan", GRACE), onAccepted: "manage" },
      edsger: { username: afterCreating("grace", EDSGER) },
    });

    const adopted = await stack.fail(UP);
    expect(adopted.diagnostics.edsger).toEqual([
      `error: ${EDSGER} is already a member of ${organization.id}, so no invitation was sent. If this resource was renamed or moved, give it aliases, and it keeps its state. Otherwise set onAccepted to "retain" (keep the member as they are) or "manage" (bring the member to what is declared; destroying the resource then removes them), or remove the resource.`,
    ]);
    expect(adopted.diagnostics["people-dev"]).toEqual(
      expect.arrayContaining([
        `${ADA} was already invited to ${organization.id}, by owner@example.com: adopted the invitation, which expires on ${ada.expiresAt}; no other e-mail is sent. Destroying this resource cancels the invitation that owner@example.com sent.`,
        `${ALAN} is already a member of ${organization.id}: adopted the member; no invitation is sent. Destroying this resource keeps them.`,
        `${GRACE} is already a member of ${organization.id}: adopted the member; no invitation is sent. Destroying this resource removes a member who was there before; set onAccepted to "retain" to keep them.`,
      ]),
    );
    const findNextOther = expected.findOther.slice(expected.findInvited.length);
    expect(adopted.requests).toEqual(
      withChallenge(expected.findInvited, expected.change(ada), findNextOther, expected.changeMember(grace)),
    );
    expect(organization.users).toEqual([
      { ...ada, roles: ["ORG_MEMBER"] },
      alan,
      { ...grace, roles: ["ORG_MEMBER"] },
      edsger,
    ]);
    expect(atlas.mails).toHaveLength(1);

    const destroyed = await stack.run(DESTROY);
    expect(destroyed.requests).toEqual(
      withChallenge(expected.findOther, expected.removeMember(grace), expected.cancel(ada)),
    );
    expect(organization.users).toEqual([alan, edsger]);
  });

  it("keeps what expired with its status, and invites again only when told to", async () => {
    await using stack = await start();
    const { atlas, organization, expected } = stack;
    await stack.declare({ ada: {} });
    await stack.run(UP);
    organization.expire(ADA);
    const expired = { ...stack.person(ADA), status: "INVITATION_EXPIRED" };

    expect((await stack.run(REFRESH)).requests).toEqual(withChallenge(expected.findOther));
    expect(await stack.outputs("ada")).toMatchObject({ status: "EXPIRED", expiresAt: expired.expiresAt });
    await stack.declare({ ada: { roles: ["ORG_OWNER"] } });
    const refused = await stack.fail(UP);
    expect(refused.diagnostics.ada).toEqual([
      expect.stringContaining(`expired on ${expired.expiresAt}, so it can no longer be changed. `),
    ]);
    expect(refused.requests).toEqual(withChallenge(expected.findOther));
    expect(atlas.mails).toHaveLength(1);

    await stack.declare({ ada: { reinviteExpired: true } });
    const again = await stack.run("up --yes");
    const [plan] = again.output.split("Updating (dev):");
    expect(plan).toContain("OrgInvitation ada replace [diff: -expiresAt,status");
    expect(again.requests).toEqual(withChallenge(expected.findOther, expected.invite));
    expect(organization.users).toEqual([stack.person(ADA)]);
    expect(stack.person(ADA)).toMatchObject({ status: "PENDING" });
    expect(atlas.mails).toHaveLength(2);
  });
}
