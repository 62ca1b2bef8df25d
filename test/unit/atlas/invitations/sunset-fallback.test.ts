import { expect, test } from "vitest";
import { type Auth, DigestAuth } from "../../../../provider/atlas/auth.ts";
import {
  type Person,
  StaleObservationError,
} from "../../../../provider/atlas/invitations/invitations-api.ts";
import { MemberDirectory } from "../../../../provider/atlas/invitations/member-directory.ts";
import { SunsetFallback } from "../../../../provider/atlas/invitations/sunset-fallback.ts";
import { bounds, clientFixture, invitationsApiOf, rejection } from "../client-fixture.ts";

const ada = "ada@example.com";
const roles = ["ORG_MEMBER"];

/** Two organizations on one connection, which uses v2 until it is retired, and then users. */
async function startScene(...[options]: Parameters<typeof clientFixture>) {
  const scene = await clientFixture(options);
  const other = scene.atlas.addOrganization({ name: "Other" });
  const auths = new Map<string, Auth>([
    [scene.organization.id, new DigestAuth(scene.key)],
    [other.id, new DigestAuth(scene.atlas.addApiKey({ organization: other }))],
  ]);
  const auth: Auth = {
    send: (request, dispatch) => {
      const [, orgId = ""] = /\/orgs\/([^/]+)\//.exec(request.target) ?? [];
      return (auths.get(orgId) as Auth).send(request, dispatch);
    },
  };
  const client = scene.connected({ auth });
  const switches: string[] = [];
  const api = new SunsetFallback(
    invitationsApiOf("v2", client, scene.clock),
    invitationsApiOf("users", client, scene.clock),
    () => switches.push("users"),
  );
  const people = new MemberDirectory(api, scene.clock, () => {});
  const orgId = scene.organization.id;
  return {
    ...scene,
    other,
    api,
    people,
    orgId,
    /** How often it switched. */
    switches,
    find: (username = ada, organization = scene.organization) =>
      people.find({ orgId: organization.id, username }, bounds),
    /** The requests since the last time, without challenges: the method, the resource and the status. */
    steps: () => {
      const requests = scene.atlas.requests.filter(({ challenge }) => !challenge);
      const steps = requests.map(({ method, path, status }) => {
        const [, orgId, resource] = /\/orgs\/([^/]+)\/(\w+)/.exec(path) ?? [];
        return `${method} ${resource} ${status}${orgId === other.id ? " other" : ""}`;
      });
      scene.atlas.forget();
      return steps;
    },
  };
}

test("a look-up that meets the retirement starts anew on the users API, which serves from then on", async () => {
  await using scene = await startScene();
  const { userId } = scene.organization.invite(ada);
  scene.atlas.sunset();

  expect(await scene.find()).toMatchObject({ orgMembershipStatus: "PENDING", userId });
  expect(scene.steps()).toEqual(["GET invites 410", "GET users 200"]);

  scene.clock.pass(30_000);
  await scene.find();
  expect(scene.steps()).toEqual(["GET users 200"]);
  expect(scene.switches).toEqual(["users"]);
});

test("a look-up that is under way when another one meets the retirement is finished on its own lists", async () => {
  await using scene = await startScene();
  scene.organization.invite(ada);
  scene.organization.accept(ada);
  scene.other.invite(ada);
  const isOther = (path: string) => path.includes(scene.other.id);
  scene.atlas.sunset(({ path }) => isOther(path));
  let found: unknown;
  const lift = scene.atlas.onRequest(async ({ path, authenticated }, stage) => {
    // Between the two lists of one look-up.
    if (stage !== "handled" || !authenticated || isOther(path)) return;
    lift();
    found = await scene.find(ada, scene.other);
  });

  // Her invitation is not among the pending ones any more, and she is not gone.
  expect(await scene.find()).toMatchObject({ orgMembershipStatus: "ACTIVE" });
  expect(found).toMatchObject({ orgMembershipStatus: "PENDING" });
  expect(scene.steps()).toEqual([
    "GET invites 200",
    "GET invites 410 other",
    "GET users 200 other",
    "GET users 200",
  ]);
  expect(scene.switches).toEqual(["users"]);
});

test.each(["the even", "the odd", "every third", "the later"])(
  "nobody is taken for gone in either organization where %s requests meet the retirement",
  async (which) => {
    await using scene = await startScene();
    const organizations = [scene.organization, scene.other];
    const names = Array.from({ length: 12 }, (_, index) => `person${index}@example.com`);
    for (const organization of organizations) {
      for (const name of names) organization.invite(name);
      for (const name of names.slice(0, 6)) organization.accept(name);
    }
    let count = 0;
    scene.atlas.sunset(() => {
      count += 1;
      if (which === "the later") return count > 4;
      return count % (which === "every third" ? 3 : 2) === (which === "the odd" ? 1 : 0);
    });

    for (let round = 0; round < 3; round++) {
      const found = await Promise.all(
        names.flatMap((name) => organizations.map((organization) => scene.find(name, organization))),
      );
      expect(found.map((person) => person?.orgMembershipStatus)).toEqual([
        ...Array(12).fill("ACTIVE"),
        ...Array(12).fill("PENDING"),
      ]);
      scene.clock.pass(30_000);
    }
    expect(scene.switches).toEqual(["users"]);
  },
);

test("requests that meet the retirement at the same time switch once", async () => {
  await using scene = await startScene();
  scene.atlas.sunset();

  const names = ["ada@example.com", "bob@example.com", "eve@example.com"];
  const recheck = () => Promise.resolve();
  await Promise.all(
    names.map((name) => scene.api.createOrgInvite(scene.orgId, name, { roles }, recheck, bounds)),
  );

  expect(scene.switches).toEqual(["users"]);
  expect(scene.organization.invitations).toHaveLength(3);
  expect(scene.atlas.mails).toHaveLength(3);
});

test("an invitation that meets the retirement is sent by the users API, once", async () => {
  await using scene = await startScene();
  await scene.find();
  scene.atlas.sunset(({ method }) => method === "POST");
  scene.steps();

  const recheck = () => Promise.reject(new Error("It was rechecked."));
  const person = await scene.api.createOrgInvite(scene.orgId, ada, { roles }, recheck, bounds);

  expect(person).toMatchObject({ userId: scene.organization.invitations[0]?.userId });
  expect(scene.steps()).toEqual(["POST invites 410", "POST users 201"]);
  expect(scene.atlas.mails).toHaveLength(1);
});

test("an invitation that was lost is not sent again by the users API where its recheck meets the retirement", async () => {
  await using scene = await startScene();
  await scene.find();
  scene.atlas.fail({ method: "POST", cut: "during", until: scene.clock.after(358) });
  scene.atlas.sunset(({ method }) => method === "GET");
  const recheck = async () => {
    scene.people.invalidate({ orgId: scene.orgId, username: ada });
    if (await scene.find()) throw new StaleObservationError("She is known.");
  };
  scene.steps();

  const invitation = scene.api.createOrgInvite(scene.orgId, ada, { roles }, recheck, bounds);

  await expect(invitation).rejects.toThrow(StaleObservationError);
  expect(scene.steps()).toEqual(["POST invites undefined", "GET invites 410", "GET users 200"]);
  expect(scene.atlas.mails).toHaveLength(1);
});

test("a change and a cancellation of somebody whom the users API does not know by an id are left to a look-up", async () => {
  await using scene = await startScene();
  const { invitationId } = scene.organization.invite(ada);
  scene.atlas.sunset();
  const invitee = { username: ada, invitationId, roles };

  expect(
    await scene.api.updateOrgInvite(scene.orgId, invitee, { roles: ["ORG_OWNER"] }, bounds),
  ).toBeUndefined();
  expect(await scene.api.deleteOrgInvite(scene.orgId, invitee, bounds)).toBeUndefined();
  expect(scene.steps()).toEqual(["PATCH invites 410"]);

  const found = await scene.find();
  expect(await scene.api.deleteOrgInvite(scene.orgId, found as Person, bounds)).toBe(true);
  expect(scene.organization.users).toEqual([]);
});

test("a change that meets the retirement is finished by the users API where it knows the person", async () => {
  await using scene = await startScene();
  const { invitationId, userId } = scene.organization.invite(ada);
  scene.atlas.sunset();
  const invitee = { username: ada, invitationId, userId, roles };

  const changed = await scene.api.updateOrgInvite(scene.orgId, invitee, { roles: ["ORG_OWNER"] }, bounds);

  expect(changed).toMatchObject({ roles: ["ORG_OWNER"] });
  expect(scene.steps()).toEqual(["PATCH invites 410", "GET users 200", "PATCH users 200"]);
});

test("members are changed and removed by the users API before and after it", async () => {
  await using scene = await startScene();
  const { userId } = scene.organization.addMember(ada);
  const member = {
    username: ada,
    userId,
    orgMembershipStatus: "ACTIVE",
    roles,
    teamIds: [],
    groupRoleAssignments: [],
  };

  await scene.api.updateMember(scene.orgId, member, { roles: ["ORG_OWNER"] }, bounds);
  scene.atlas.sunset();
  await scene.find("bob@example.com");
  scene.steps();
  expect(await scene.api.removeMember(scene.orgId, member, bounds)).toBe(true);

  expect(scene.steps()).toEqual(["DELETE users 204"]);
  expect(scene.organization.users).toEqual([]);
});

test("a 410 about the key is no retirement", async () => {
  await using scene = await startScene();
  const body = { errorCode: "PERSONAL_API_KEYS_DEPRECATED", detail: "Old key." };
  scene.atlas.fail({ path: /invites/, status: 410, body });

  const error = await rejection(scene.find());

  expect(error.message).toContain("410 PERSONAL_API_KEYS_DEPRECATED: Old key.");
  expect(scene.switches).toEqual([]);
  expect(await scene.find()).toBeUndefined();
  expect(scene.steps()).toEqual(["GET invites 410", "GET invites 200", "GET users 200"]);
});

test("a 410 of the users API is an error, before and after the switch", async () => {
  await using scene = await startScene();
  const body = { errorCode: "VERSION_GONE", detail: "Gone." };
  scene.atlas.fail({ path: /users/, status: 410, body, times: Number.POSITIVE_INFINITY });

  expect(await rejection(scene.find())).toMatchObject({ status: 410, errorCode: "VERSION_GONE" });
  expect(scene.switches).toEqual(["users"]);
  expect(await rejection(scene.find())).toMatchObject({ status: 410 });
  expect(scene.switches).toEqual(["users"]);
  expect(scene.steps()).toEqual(["GET invites 200", "GET users 410", "GET users 410", "GET users 410"]);
});

test("an error of another kind is no retirement", async () => {
  await using scene = await startScene();
  scene.atlas.fail({ path: /invites/, status: 404, body: { errorCode: "VERSION_GONE" } });

  expect(await rejection(scene.find())).toMatchObject({ status: 404 });
  expect(scene.switches).toEqual([]);
});
