import { describe, expect, test } from "vitest";
import { type DeclarationExchange, Declarations } from "../../../provider/lifecycle/declarations.ts";
import type { OnAccepted } from "../../../provider/lifecycle/membership.ts";
import type { OrgInvitationState } from "../../../provider/lifecycle/org-invitation-state.ts";
import type { SimulatedAtlasOptions } from "../../support/simulated-atlas/simulated-atlas.ts";
import { ada, GENERATIONS, gate, lifecycleFixture, team } from "./lifecycle-fixture.ts";

/*
 * One person, two resources in a row: Pulumi creates before it deletes where a resource is renamed, moved or replaced.
 * "old" is the resource of an earlier run, whose state is deleted in this one.
 */

const byName = "ada.lovelace@example.com";

describe.each(GENERATIONS)("on %s", (generation) => {
  /** Ada was invited in an earlier run, by the resource "old". */
  async function startScene({
    onAccepted = "fail",
    exchange,
    ...options
  }: SimulatedAtlasOptions & { onAccepted?: OnAccepted; exchange?: DeclarationExchange } = {}) {
    const scene = await lifecycleFixture(generation, options);
    const { connected, inputs, organization } = scene;
    const declared = inputs({ onAccepted });
    const old = await connected().create(declared, "old");
    const declarations = new Declarations(exchange);
    scene.requests();
    return {
      ...scene,
      old,
      declared,
      declarations,
      run: connected(generation, { declarations }),
      mails: () => scene.atlas.mails.length,
      /** What is said of a person who is handed over. */
      handedOver: `${ada} in ${organization.id} is declared by another resource now: nothing was sent for the one that is deleted.`,
      [Symbol.asyncDispose]: () => scene.atlas.stop(),
    };
  }

  /** Ada accepted since, and a refresh has stored it. */
  async function startWithMember(onAccepted: OnAccepted) {
    const scene = await startScene({ onAccepted });
    scene.organization.accept(ada);
    const old = (await scene.connected().read(scene.old)) as OrgInvitationState;
    scene.requests();
    return { ...scene, old, [Symbol.asyncDispose]: () => scene.atlas.stop() };
  }

  describe("a deleted resource", () => {
    test("leaves the invitation to the resource that adopted it in this run", async () => {
      await using scene = await startScene();
      const before = scene.organization.users;
      await scene.run.create(scene.declared, "new");
      scene.requests();
      await scene.run.delete(scene.old);
      expect(scene.requests()).toEqual([]);
      expect(scene.organization.users).toEqual(before);
      expect(scene.mails()).toBe(1);
      expect(scene.notices.slice(1)).toEqual([scene.handedOver]);
    });

    test("leaves the member to the resource that adopted them, also under manage", async () => {
      await using scene = await startWithMember("manage");
      const before = scene.organization.users;
      await scene.run.create(scene.declared, "new");
      await scene.run.delete(scene.old);
      expect(scene.changes()).toEqual([]);
      expect(scene.organization.users).toEqual(before);
      expect(scene.notices.at(-1)).toBe(scene.handedOver);
    });

    test("leaves alone the invitation that another resource sent in this run", async () => {
      await using scene = await startScene();
      scene.organization.cancel(ada);
      await scene.run.create(scene.declared, "new");
      const before = scene.organization.users;
      await scene.run.delete(scene.old);
      expect(scene.organization.users).toEqual(before);
      expect(scene.mails()).toBe(2);
      expect(scene.notices).toEqual([scene.handedOver]);
    });

    test("leaves the person to the resource that goes on as it is", async () => {
      await using scene = await startScene({ onAccepted: "manage" });
      scene.declarations.hold(scene.old, { inputs: scene.declared, declaredBy: "new" });
      const before = scene.organization.users;
      await scene.run.delete(scene.old);
      expect(scene.requests()).toEqual([]);
      expect(scene.organization.users).toEqual(before);
      expect(scene.notices).toEqual([scene.handedOver]);
    });

    test("leaves the person to the resource that declares them by another address, known by the id", async () => {
      await using scene = await startWithMember("manage");
      scene.organization.changeAddress(ada, byName);
      const before = scene.organization.users;
      await scene.run.create({ ...scene.declared, username: byName }, "new");
      await scene.run.delete(scene.old);
      expect(scene.changes()).toEqual([]);
      expect(scene.organization.users).toEqual(before);
      expect(scene.notices.at(-1)).toBe(scene.handedOver);
    });

    test("is not renewed where the same resource declares another address of the same person now", async () => {
      await using scene = await startScene();
      scene.organization.changeAddress(ada, byName);
      const before = scene.organization.users;
      await scene.run.create({ ...scene.declared, username: byName }, "old");
      await scene.run.delete(scene.old);
      expect(scene.changes()).toEqual([]);
      expect(scene.organization.users).toEqual(before);
      expect(scene.notices.at(-1)).toBe(scene.handedOver);
    });

    test("leaves the person to the resource that only a look-up shows to declare them", async () => {
      await using scene = await startScene();
      scene.organization.changeAddress(ada, byName);
      const {
        userId: _,
        invitationId: __,
        ...old
      } = (await scene.connected().read(scene.old)) as OrgInvitationState;
      expect(old).toMatchObject({ username: ada, knownAs: byName });
      const before = scene.organization.users;
      await scene.run.create({ ...scene.declared, username: byName }, "new");
      await scene.run.delete(old);
      expect(scene.changes()).toEqual([]);
      expect(scene.organization.users).toEqual(before);
    });

    test("is an error where the other resource could not be created, and changes nothing", async () => {
      for (const onAccepted of ["fail", "manage"] as const) {
        const isMember = onAccepted === "manage";
        await using scene = await (isMember ? startWithMember(onAccepted) : startScene());
        const before = scene.organization.users;
        scene.atlas.fail({ method: "PATCH", status: 403, body: { errorCode: "NOT_ORG_OWNER" } });
        const failing = scene.run.create({ ...scene.declared, roles: ["ORG_OWNER"] }, "new");
        await expect(failing).rejects.toThrow("NOT_ORG_OWNER");
        scene.changes();
        await expect(scene.run.delete(scene.old)).rejects.toThrow(
          `${ada} in ${scene.organization.id} is declared by another resource of this program, which could not be created, so nothing was sent for this one. Run pulumi up again.`,
        );
        expect(scene.changes()).toEqual([]);
        expect(scene.organization.users).toEqual(before);
      }
    });

    test("is an error where the other resource declares another address of the person, and failed", async () => {
      await using scene = await startWithMember("manage");
      scene.organization.changeAddress(ada, byName);
      const before = scene.organization.users;
      scene.atlas.fail({ method: "PATCH", status: 403, body: { errorCode: "NOT_ORG_OWNER" } });
      const inputs = { ...scene.declared, username: byName, roles: ["ORG_OWNER"] };
      await expect(scene.run.create(inputs, "new")).rejects.toThrow("NOT_ORG_OWNER");
      await expect(scene.run.delete(scene.old)).rejects.toThrow("which could not be created");
      expect(scene.organization.users).toEqual(before);
    });

    test("does what it does to a member under fail and retain where the other resource is refused", async () => {
      for (const onAccepted of ["fail", "retain"] as const) {
        await using scene = await startWithMember(onAccepted);
        const before = scene.organization.users;
        await expect(scene.run.create({ ...scene.declared, onAccepted: "fail" }, "new")).rejects.toThrow(
          "If this resource was renamed or moved, give it aliases",
        );
        const deleted = scene.run.delete(scene.old);
        if (onAccepted === "fail") await expect(deleted).rejects.toThrow("has accepted");
        else await deleted;
        expect(scene.changes()).toEqual([]);
        expect(scene.organization.users).toEqual(before);
      }
    });

    test("is done where the person is gone, whatever became of the other resource", async () => {
      await using scene = await startScene();
      scene.atlas.fail({ method: "PATCH", status: 403, body: { errorCode: "NOT_ORG_OWNER" } });
      const failing = scene.run.create({ ...scene.declared, roles: ["ORG_OWNER"] }, "new");
      await expect(failing).rejects.toThrow("NOT_ORG_OWNER");
      scene.organization.cancel(ada);
      await scene.run.delete(scene.old);
      expect(scene.organization.users).toEqual([]);
    });

    test("leaves the invitation to an incomplete resource, which the next run completes", async () => {
      await using scene = await startScene({ ignoresOnCreate: ["teamIds"], addsRoles: ["ORG_READ_ONLY"] });
      scene.organization.cancel(ada);
      const path = generation === "users" ? /users\/[^?]+$/ : /invites\//;
      scene.atlas.fail({ method: "PATCH", path, status: 501, body: "" });
      const created = scene.run.create({ ...scene.declared, teamIds: [team] }, "new");
      await expect(created).rejects.toMatchObject({ name: "IncompleteCreateError" });
      const before = scene.organization.users;
      await scene.run.delete(scene.old);
      expect(scene.organization.users).toEqual(before);
      expect(scene.notices.at(-1)).toBe(scene.handedOver);
    });

    test("ends the invitation that this run sent for it", async () => {
      await using scene = await startScene();
      scene.organization.cancel(ada);
      const created = await scene.run.create(scene.declared, "new");
      await scene.run.delete(created);
      expect(scene.organization.users).toEqual([]);
      expect(scene.notices).toEqual([]);
    });

    test("ends the person whom nobody declares any more, in the run after the handover", async () => {
      await using scene = await startScene();
      const created = await scene.run.create(scene.declared, "new");
      await scene.run.delete(scene.old);
      await scene.connected().delete(created);
      expect(scene.organization.users).toEqual([]);
    });

    test("ends the person whose other resource is about to be created anew", async () => {
      await using scene = await startScene();
      scene.declarations.hold(scene.old, { inputs: scene.declared, declaredBy: "new" });
      scene.declarations.release(scene.old);
      await scene.run.delete(scene.old);
      expect(scene.organization.users).toEqual([]);
    });

    test("ends the person who was only refreshed in this run", async () => {
      await using scene = await startScene();
      await scene.run.read(scene.old);
      await scene.run.delete(scene.old);
      expect(scene.organization.users).toEqual([]);
      expect(scene.notices).toEqual([]);
    });
  });

  describe("a resource of another process", () => {
    /** What other processes of the run declare, and what this one told them. */
    function exchangeWith(others: string[]) {
      const told: string[] = [];
      return {
        told,
        announce: (topic: string) => void told.push(`announce ${topic}`),
        withdraw: (topic: string) => void told.push(`withdraw ${topic}`),
        others: (topic: string) => others.filter((other) => other === topic).length,
      };
    }

    test("keeps the person whom it declares", async () => {
      const others: string[] = [];
      await using scene = await startScene({ exchange: exchangeWith(others) });
      others.push(`${scene.organization.id} ${ada}`);
      const before = scene.organization.users;
      await scene.run.delete(scene.old);
      expect(scene.requests()).toEqual([]);
      expect(scene.organization.users).toEqual(before);
      expect(scene.notices).toEqual([scene.handedOver]);
    });

    test("keeps nobody else, and is told whom this one declares", async () => {
      const exchange = exchangeWith(["another person"]);
      await using scene = await startScene({ exchange });
      const topic = `${scene.organization.id} ${ada}`;
      scene.organization.cancel(ada);
      const created = await scene.run.create(scene.declared, "new");
      expect(exchange.told).toEqual([`announce ${topic}`]);
      await scene.run.delete(created);
      expect(exchange.told).toEqual([`announce ${topic}`, `withdraw ${topic}`]);
      expect(scene.organization.users).toEqual([]);
    });
  });

  describe("a resource whose replacement is forced", () => {
    const cancels = generation === "users" ? ["GET users/id", "DELETE users/id"] : ["DELETE invites/id"];
    const invites = generation === "users" ? "POST users" : "POST invites";
    const lists = generation === "users" ? ["GET users"] : ["GET invites", "GET users"];
    const isInvitedAgain = (id: string) =>
      `${ada} was invited to ${id} again, as the resource was replaced. Its outputs show the new invitation after the next refresh.`;

    test("gets one good invitation, and a new e-mail", async () => {
      await using scene = await startScene();
      const { organization, old, requests, run } = scene;
      const { createdAt } = await run.create({ ...scene.declared, roles: ["ORG_OWNER"] }, "old");
      expect(createdAt).toBe(old.createdAt);
      requests();
      await run.delete(old);
      expect(requests()).toEqual([lists[0], ...cancels, invites]);
      expect(organization.users).toMatchObject([{ status: "PENDING", roles: ["ORG_OWNER"] }]);
      const now = organization.find(ada);
      expect([now?.invitationId, now?.userId]).not.toContain(old.invitationId ?? old.userId);
      expect(scene.mails()).toBe(2);
      expect(scene.notices.slice(1)).toEqual([isInvitedAgain(organization.id)]);
    });

    // The users API is not known to drop anything.
    if (generation !== "users") {
      test("gets its new invitation once, and a line for what that could not be given", async () => {
        await using scene = await startScene({ ignoresOnCreate: ["teamIds"] });
        const { organization, old, run, connected, declarations } = scene;
        await run.create({ ...scene.declared, teamIds: [team] }, "old");
        scene.atlas.fail({ method: "PATCH", status: 403, body: { errorCode: "NOT_ORG_OWNER" } });
        await run.delete(old);
        expect(organization.users).toMatchObject([{ username: ada, status: "PENDING", teamIds: [] }]);
        expect(scene.notices.at(-2)).toContain("but without all that is declared");
        expect(scene.notices.at(-1)).toBe(isInvitedAgain(organization.id));

        await connected(generation, { declarations }).delete(old);
        expect(scene.mails()).toBe(2);
      });
    }

    test("gets a new invitation also where another generation of the API wrote the state", async () => {
      await using scene = await lifecycleFixture(generation);
      const { organization, connected, inputs, atlas } = scene;
      const writer = generation === "users" ? "v2" : "users";
      const old = await connected(writer).create(inputs(), "old");
      const before = organization.find(ada);
      const run = connected(generation);
      await run.create(inputs(), "old");
      await run.delete(old);
      expect(organization.users).toMatchObject([{ status: "PENDING" }]);
      expect(organization.find(ada)?.userId).not.toBe(before?.userId);
      expect(atlas.mails).toHaveLength(2);
    });

    test("gets one new e-mail where it was rejected, from its creation", async () => {
      await using scene = await startScene();
      scene.organization.reject(ada);
      const rejected = (await scene.connected().read(scene.old)) as OrgInvitationState;
      await scene.run.create(scene.declared, "old");
      const before = scene.organization.find(ada);
      scene.requests();
      await scene.run.delete(rejected);
      expect(scene.requests()).toEqual([]);
      expect(scene.organization.find(ada)).toEqual(before);
      expect(before?.status).toBe("PENDING");
      expect(scene.mails()).toBe(2);
      expect(scene.notices).toEqual([]);
    });

    test("keeps the invitation that a colleague sent meanwhile", async () => {
      await using scene = await startScene();
      await scene.run.create(scene.declared, "old");
      scene.organization.cancel(ada);
      scene.organization.invite(ada);
      const before = scene.organization.users;
      await scene.run.delete(scene.old);
      expect(scene.changes()).toEqual([]);
      expect(scene.organization.users).toEqual(before);
    });

    test("keeps the person who has accepted meanwhile", async () => {
      for (const onAccepted of ["fail", "retain", "manage"] as const) {
        await using scene = await startScene({ onAccepted });
        await scene.run.create(scene.declared, "old");
        scene.organization.accept(ada);
        const before = scene.organization.users;
        await scene.run.delete(scene.old);
        expect(scene.changes()).toEqual([]);
        expect(scene.organization.users).toEqual(before);
      }
    });

    test("keeps the person who accepts while the invitation is being cancelled", async () => {
      await using scene = await startScene({ onAccepted: "manage" });
      await scene.run.create(scene.declared, "old");
      const { opened, open } = gate();
      // The users API tells before its DELETE who has accepted.
      const method = generation === "users" ? "GET" : "DELETE";
      const path = generation === "users" ? /users\/[^?]+$/ : /invites\//;
      const held = scene.atlas.fail({ method, path, until: opened });
      const deleted = scene.run.delete(scene.old);
      await held.struck;
      scene.organization.accept(ada);
      open();
      await deleted;
      expect(scene.changes().map(({ method }) => method)).not.toContain("POST");
      expect(scene.organization.users).toMatchObject([{ status: "ACTIVE" }]);
      expect(scene.mails()).toBe(1);
    });

    test("is invited where the invitation is gone, as after a run that ended in between", async () => {
      await using scene = await startScene();
      const { declarations, declared, old, organization } = scene;
      declarations.hold(old, { inputs: declared, declaredBy: "old" });
      organization.cancel(ada);
      await scene.run.delete(old);
      expect(organization.users).toMatchObject([{ status: "PENDING" }]);
      expect(scene.mails()).toBe(2);
      expect(scene.notices).toEqual([isInvitedAgain(organization.id)]);
    });

    test("is invited once where the answer to that was lost", async () => {
      await using scene = await startScene();
      await scene.run.create(scene.declared, "old");
      scene.atlas.fail({ method: "POST", cut: "after" });
      await scene.run.delete(scene.old);
      expect(scene.organization.users).toMatchObject([{ status: "PENDING" }]);
      expect(scene.mails()).toBe(2);
    });

    test("is an error where the new invitation is refused, and the next run sends it", async () => {
      await using scene = await startScene();
      const { organization, old, declared, connected } = scene;
      await scene.run.create(declared, "old");
      const status = { status: 400, body: { errorCode: "MAX_USERS_PER_ORG_EXCEEDED" } };
      scene.atlas.fail({ method: "POST", ...status });
      await expect(scene.run.delete(old)).rejects.toThrow("MAX_USERS_PER_ORG_EXCEEDED");

      const declarations = new Declarations();
      declarations.hold(old, { inputs: declared, declaredBy: "old" });
      await connected(generation, { declarations }).delete(old);
      expect(organization.users).toMatchObject([{ status: "PENDING" }]);
    });
  });

  describe("operations of one person at once", () => {
    test("go one after the other: who is created first is handed over", async () => {
      await using scene = await startScene();
      const before = scene.organization.users;
      const { opened, open } = gate();
      const held = scene.atlas.fail({ method: "GET", path: /invites$|users\?/, until: opened });
      const created = scene.run.create(scene.declared, "new");
      await held.struck;
      const deleted = scene.run.delete(scene.old);
      open();
      await Promise.all([created, deleted]);
      expect(scene.changes()).toEqual([]);
      expect(scene.organization.users).toEqual(before);
    });

    test("go one after the other: who is deleted first is invited again", async () => {
      await using scene = await startScene();
      const { run } = scene;
      const [, created] = await Promise.all([run.delete(scene.old), run.create(scene.declared, "new")]);
      const now = scene.organization.find(ada);
      expect(scene.organization.users).toHaveLength(1);
      expect([now?.invitationId, now?.userId]).toContain(created.invitationId ?? created.userId);
      expect(scene.mails()).toBe(2);
    });

    test("go on where the first of them fails", async () => {
      await using scene = await startScene();
      scene.atlas.fail({ method: "PATCH", status: 403, body: { errorCode: "NOT_ORG_OWNER" } });
      const changed = scene.run.update(scene.old, { ...scene.declared, roles: ["ORG_OWNER"] });
      const deleted = scene.run.delete(scene.old);
      await expect(changed).rejects.toThrow("NOT_ORG_OWNER");
      await deleted;
      expect(scene.organization.users).toEqual([]);
    });
  });
});

test.each(["v1.0", "v2"] as const)(
  "a resource on %s keeps the invitation that Atlas answered to an alias of the same address",
  async (generation) => {
    await using scene = await lifecycleFixture(generation, {
      secondInvite: "keep",
      storesUsername: (username) => username.replace(/\+[^@]*@/, "@"),
    });
    const { organization, inputs, connected, atlas } = scene;
    const old = await connected().create(inputs(), "old");
    const before = organization.users;
    const run = connected();
    await run.create(inputs({ username: "ada+atlas@example.com" }), "new");
    await run.delete(old);
    expect(organization.users).toEqual(before);
    expect(atlas.mails).toHaveLength(1);
  },
);
