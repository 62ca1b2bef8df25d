import { describe, expect, it } from "vitest";
import { lineWith, PHRASES } from "../support/message-phrases.ts";
import { USERS, unordered, V2, withChallenge } from "./expected-requests.ts";
import { ADA, ALAN, afterCreating, DESTROY, EDSGER, GRACE, REFRESH, UP } from "./invitation-stack.ts";
import { startStack } from "./start-stack.ts";

describe.concurrent("an invitation that was accepted", () => {
  it.each([V2, USERS])(
    "fails to be changed or destroyed, and is forgotten under retain: $name",
    async (version) => {
      await using stack = await startStack(version);
      const { organization, expected } = stack;
      await stack.declare({ ada: {} });
      await stack.run(UP);
      const invited = stack.person(ADA);
      organization.accept(ADA);
      const member = stack.person(ADA);

      const kept = await stack.fail(DESTROY);
      expect(kept.diagnostics.ada).toMatch(
        lineWith("error: ", ADA, organization.id, PHRASES.acceptedDelete, '"retain"', '"manage"'),
      );
      expect(kept.diagnostics["people-dev"]).toMatch(/^OrgInvitation delete.*\nerror: update failed$/);
      expect(kept.requests).toEqual(withChallenge(expected.cancelAccepted(invited), expected.findOther));
      expect(await stack.outputs("ada")).toBeDefined();

      const planned = await stack.run("preview --refresh");
      expect(planned.output).toContain("OrgInvitation ada refresh [diff: +status]");
      expect(planned.requests).toEqual(withChallenge(expected.findOther));
      expect((await stack.run(REFRESH)).requests).toEqual(withChallenge(expected.findOther));
      expect(await stack.outputs("ada")).toMatchObject({ status: "ACCEPTED", userId: member.userId });

      await stack.declare({ ada: { roles: ["ORG_OWNER"] } });
      const unchanged = await stack.fail(UP);
      expect(unchanged.diagnostics.ada).toMatch(
        lineWith("error: ", ADA, organization.id, PHRASES.acceptedChange, '"retain"', '"manage"'),
      );
      expect(unchanged.requests).toEqual(withChallenge(expected.findOther));

      await stack.declare({ ada: { onAccepted: "retain" } });
      expect((await stack.run(UP)).requests).toEqual([]);
      const forgotten = await stack.run(DESTROY);
      expect(forgotten.diagnostics["people-dev"]).toMatch(lineWith(ADA, organization.id, PHRASES.retained));
      expect(forgotten.requests).toEqual(withChallenge(expected.findOther));
      expect(organization.users).toEqual([member]);
      expect(await stack.resources()).toEqual({});
    },
  );

  it("is managed once onAccepted says so, also under a new address of the member", async () => {
    await using stack = await startStack();
    const { organization, atlas, expected } = stack;
    const lovelace = "lovelace@example.com";
    await stack.declare({ ada: {} });
    await stack.run(UP);
    organization.accept(ADA);
    organization.change(ADA, { roles: ["ORG_OWNER"] });
    await stack.run(REFRESH);

    await stack.declare({ ada: { onAccepted: "manage" } });
    await stack.run(UP);
    expect(stack.person(ADA).roles).toEqual(["ORG_MEMBER"]);

    organization.changeAddress(ADA, lovelace);
    const refreshed = await stack.run(`${UP} --refresh`);
    expect(refreshed.diagnostics["people-dev"]).toMatch(
      lineWith(ADA, lovelace, organization.id, PHRASES.sameMember),
    );
    expect(refreshed.requests).toEqual(withChallenge(expected.findOther));
    await stack.declare({ ada: { username: lovelace, onAccepted: "manage" } });
    const renamed = await stack.run("up --yes");
    expect(renamed.output).toContain("OrgInvitation ada update [diff: ~username]");
    expect(renamed.requests).toEqual([]);
    expect(atlas.mails).toHaveLength(1);

    await stack.run(DESTROY);
    expect(organization.users).toEqual([]);
  });
});

describe.concurrent("people who were invited, or members, before their resources were created", () => {
  it("are adopted as onAccepted says", async () => {
    await using stack = await startStack(USERS);
    const { atlas, organization, expected } = stack;
    const access = { roles: ["ORG_READ_ONLY"] };
    organization.invite("Ada@Example.com", access);
    const ada = stack.person(ADA);
    const alan = organization.addMember(ALAN, access);
    const grace = organization.addMember(GRACE, access);
    const edsger = organization.addMember(EDSGER, access);
    // Each waits for the one before it, so that the order of the requests is certain.
    await stack.declare({
      ada: {},
      alan: { username: afterCreating("ada", ALAN), onAccepted: "retain" },
      grace: { username: afterCreating("alan", GRACE), onAccepted: "manage" },
      edsger: { username: afterCreating("grace", EDSGER) },
    });

    const adopted = await stack.fail(UP);
    expect(adopted.diagnostics.edsger).toMatch(
      lineWith("error: ", EDSGER, organization.id, PHRASES.alreadyMember, "aliases", '"retain"', '"manage"'),
    );
    const notices = adopted.diagnostics["people-dev"];
    const inviter = "owner@example.com";
    expect(notices).toMatch(lineWith(ADA, PHRASES.adoptedInvitation, inviter, String(ada.expiresAt)));
    expect(notices).toMatch(lineWith(ALAN, PHRASES.alreadyMember, "keep"));
    expect(notices).toMatch(lineWith(GRACE, PHRASES.alreadyMember, "remove", '"retain"'));
    expect(adopted.requests).toEqual(
      withChallenge(expected.findInvited, expected.change(ada), expected.changeMember(grace)),
    );
    expect(organization.users).toEqual([
      { ...ada, roles: ["ORG_MEMBER"] },
      alan,
      { ...grace, roles: ["ORG_MEMBER"] },
      edsger,
    ]);
    expect(atlas.mails).toHaveLength(1);

    const destroyed = await stack.run(DESTROY);
    expect(unordered(destroyed.requests)).toEqual(
      unordered(expected.findOther, expected.removeMember(grace), expected.cancel(ada)),
    );
    expect(organization.users).toEqual([alan, edsger]);
  });
});

describe.concurrent("an invitation that expired or was rejected", () => {
  it("keeps its status until the program asks for a new invitation", async () => {
    await using stack = await startStack();
    const { atlas, organization, expected } = stack;
    await stack.declare({ ada: {}, grace: {} });
    await stack.run(UP);
    const { expiresAt } = stack.person(ADA);
    organization.expire(ADA);
    organization.reject(GRACE);

    expect((await stack.run(REFRESH)).requests).toEqual(withChallenge(expected.findOther));
    const resources = await stack.resources();
    expect(resources.ada?.outputs).toMatchObject({ status: "EXPIRED" });
    expect(resources.grace?.outputs).toMatchObject({ status: "REJECTED" });

    const asOwner = { roles: ["ORG_OWNER"] };
    await stack.declare({ ada: asOwner, grace: asOwner });
    const refused = await stack.fail(`${UP} --continue-on-error`);
    expect(refused.diagnostics.ada).toMatch(
      lineWith("error: ", ADA, `${PHRASES.expired} ${stack.person(ADA).expiresAt}`, "reinviteExpired"),
    );
    expect(refused.diagnostics.grace).toMatch(lineWith("error: ", GRACE, PHRASES.rejected));
    expect(refused.requests).toEqual(withChallenge(expected.findOther));
    expect(atlas.mails).toHaveLength(2);

    await stack.declare({ ada: { reinviteExpired: true }, grace: {} });
    const renewed = await stack.run("up --yes");
    const [plan] = renewed.output.split("Updating (dev):");
    expect(plan).toContain("OrgInvitation ada replace [diff: -expiresAt,status");
    expect(renewed.requests).toEqual(withChallenge(expected.findOther, expected.invite));
    expect(stack.person(ADA)).toMatchObject({ status: "PENDING" });
    expect(stack.person(ADA).expiresAt).not.toBe(expiresAt);

    await stack.declare({ ada: { reinviteExpired: true }, grace: asOwner });
    await stack.run(`${UP} --target-replace ${stack.urn("grace")}`);
    expect(stack.person(GRACE)).toMatchObject({ status: "PENDING", roles: ["ORG_OWNER"] });
    expect(await stack.outputs("grace")).toMatchObject({ status: "PENDING" });
    expect(organization.users).toHaveLength(2);
    expect(atlas.mails).toHaveLength(4);
  });
});
