import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { canaryStories } from "./canary-scenarios.ts";
import { declaredStories } from "./declared-scenarios.ts";
import { GENERATIONS, USERS, V1, V2, withChallenge } from "./expected-requests.ts";
import { ADA, GRACE } from "./fixtures.ts";
import { handoverStories, riskyHandoverStories } from "./handover-scenarios.ts";
import { afterCreating, DESTROY, Ground, InvitationStack, REFRESH, UP } from "./invitation-stack.ts";
import { interruptStories, killStories } from "./kill-scenarios.ts";
import { pendingStories } from "./pending-scenarios.ts";
import { settledStories } from "./settled-scenarios.ts";
import { RELEASES, stateStories } from "./state-scenarios.ts";
import { formsOf, storedTexts } from "./stored-texts.ts";
import { troubleStories } from "./trouble-scenarios.ts";

// One command of Pulumi keeps more than one core busy.
vi.setConfig({ maxConcurrency: 2 });

let ground: Ground;
beforeAll(async () => {
  ground = await Ground.lay();
});
afterAll(() => ground?.[Symbol.asyncDispose]());

describe.concurrent.each(GENERATIONS)("on the $name generation of the API", (generation) => {
  const start = () => InvitationStack.start(ground, generation);
  pendingStories(start);
  settledStories(start);
  troubleStories(start, generation);
  killStories(start, generation);
});

describe.concurrent("one person and two resources in a row", () => {
  handoverStories(() => InvitationStack.start(ground, V2));
});

describe.concurrent.each([V2, USERS])(
  "one person and two resources in a row on the $name generation",
  (generation) => {
    riskyHandoverStories(() => InvitationStack.start(ground, generation));
  },
);

describe.concurrent("what is declared, and what is not", () => {
  declaredStories(() => InvitationStack.start(ground, V2));
});

describe.concurrent.each(RELEASES)("a state written by %s", (release) => {
  stateStories(release, (generation, options) => InvitationStack.start(ground, generation, options));
});

describe.concurrent("whatever the generation", () => {
  interruptStories(() => InvitationStack.start(ground, V1));
  canaryStories(() => InvitationStack.start(ground, V2, { env: () => ({}) }));

  it("sends the vendor's documented DELETE under v1.0, and nothing else but the challenge for it", async () => {
    await using stack = await InvitationStack.start(ground, V1);
    const { atlas, organization, key } = stack;
    await stack.declare({ ada: {} });
    await stack.run(UP);
    const { invitationId } = stack.person(ADA);

    const destroyed = await stack.run(DESTROY);
    const path = `/api/atlas/v1.0/orgs/${organization.id}/invites/${invitationId}`;
    expect(destroyed.requests).toEqual([`DELETE ${path} 401 challenge`, `DELETE ${path} 204`]);
    const request = { method: "DELETE", path, accept: "application/json" };
    expect(atlas.requests).toEqual([
      { ...request, authenticated: false, challenge: true, status: 401, errorCode: "UNEXPECTED_ERROR" },
      { ...request, authenticated: true, username: key.publicKey, challenge: false, status: 204 },
    ]);
    expect(organization.users).toEqual([]);
  });

  it("goes on with the users API when Atlas retires the invitations, whatever state it finds", async () => {
    await using stack = await InvitationStack.start(ground, V1);
    const { atlas, organization } = stack;
    const expected = USERS.requests(organization);
    const switched = ["Atlas has retired the v1.0 API of invitations: going on with the users API."];
    await stack.declare({ ada: {}, grace: {} });
    await stack.run(UP);
    const [ada, grace] = [stack.person(ADA), stack.person(GRACE)];
    const invites = `/api/atlas/v1.0/orgs/${organization.id}/invites`;
    atlas.sunset();

    await stack.declare({ ada: {} });
    const removed = await stack.run(UP);
    const gone = [`DELETE ${invites}/${grace.invitationId} 410`];
    expect(removed.requests).toEqual(withChallenge(gone, expected.findInvited, expected.cancel(grace)));
    expect(removed.diagnostics).toEqual({ "people-dev": switched });

    const refreshed = await stack.run(REFRESH);
    expect(refreshed.requests).toEqual(withChallenge([`GET ${invites} 410`], expected.findInvited));
    expect(await stack.outputs("ada")).toMatchObject({ status: "PENDING", userId: ada.userId });

    await stack.declare({ ada: { roles: ["ORG_OWNER"] } });
    expect((await stack.run(UP)).requests).toEqual(
      withChallenge([`PATCH ${invites}/${ada.invitationId} 410`], expected.change(ada)),
    );
    expect(organization.users).toEqual([{ ...ada, roles: ["ORG_OWNER"] }]);

    expect((await stack.run(DESTROY)).requests).toEqual(
      withChallenge([`DELETE ${invites}/${ada.invitationId} 410`], expected.cancel(ada)),
    );
    expect(organization.users).toEqual([]);
  });

  it("names both resources that declare one person, and warns of a role that it does not know", async () => {
    await using stack = await InvitationStack.start(ground, V1);
    const { organization, expected } = stack;
    await stack.declare({ ada: {} });
    await stack.run(UP);
    const invited = stack.person(ADA);

    for (const username of ["Ada@Example.com", afterCreating("ada", ADA)]) {
      await stack.declare({ ada: {}, lovelace: { username } });
      const twice = await stack.fail(UP);
      expect(twice.diagnostics["people-dev"]).toContain(
        `error: ${ADA} in ${organization.id} is declared twice, by the resources "ada" and "lovelace". Remove one of them.`,
      );
      expect(twice.requests).toEqual([]);
      expect(await stack.workspace.resource("lovelace")).toBeUndefined();
    }

    await stack.declare({ ada: { roles: ["ORG_JESTER"] } });
    const warned = await stack.run(UP);
    expect(warned.diagnostics).toEqual({
      "people-dev": [
        `warning: ${ADA}: this version does not know the role ORG_JESTER. It is sent to Atlas as it is.`,
      ],
    });
    expect(warned.requests).toEqual(withChallenge(expected.change(invited)));
    expect(organization.users).toEqual([{ ...invited, roles: ["ORG_JESTER"] }]);
  });

  it("stores nothing of a key that comes from the environment, and one short text for all resources", async () => {
    await using stack = await InvitationStack.start(ground, V1);
    await stack.declare({ ada: {}, grace: {} });
    const { output } = await stack.run(UP);
    const { deployment } = await stack.workspace.state();
    const texts = await storedTexts(stack, output, JSON.stringify(deployment, null, 1));
    expect(texts).toContain(ADA);
    for (const form of formsOf(stack.key)) expect(texts).not.toContain(form);
    expect(JSON.stringify(deployment.resources)).not.toContain("ciphertext");

    const invitations = (deployment.resources ?? []).filter(({ type }) => type.endsWith("OrgInvitation"));
    const providers = invitations.flatMap(({ inputs, outputs }) => [inputs?.__provider, outputs?.__provider]);
    expect(providers).toHaveLength(4);
    expect(new Set(providers).size).toBe(1);
    expect(String(providers[0]).length).toBeLessThan(150);
  });

  it("stores a key that comes from secret configuration encrypted only, and destroys with it", async () => {
    await using stack = await InvitationStack.start(ground, V1, { env: () => ({}) });
    const { key, organization, expected } = stack;
    await stack.workspace.config({
      "mongodbatlas:publicKey": { secret: key.publicKey },
      "mongodbatlas:privateKey": { secret: key.privateKey },
    });
    await stack.declare({ ada: {} });
    const up = await stack.run("up --yes");
    expect(up.requests).toEqual(withChallenge(expected.findOther, expected.invite));
    const invited = stack.person(ADA);
    const { stdout } = await stack.workspace.pulumi(["stack", "export"]);
    const destroyed = await stack.run(DESTROY);
    expect(destroyed.requests).toEqual(withChallenge(expected.cancel(invited)));
    expect(organization.users).toEqual([]);

    const texts = await storedTexts(stack, up.output, stdout, destroyed.output);
    expect(texts).toContain('"ciphertext"');
    for (const form of formsOf(key)) expect(texts).not.toContain(form);
  });
});
