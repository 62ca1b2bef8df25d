import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import {
  type Installation,
  type InstallKind,
  installPackage,
} from "../support/plugin-host/install-package.ts";
import { PluginHost, PluginHostError, type Properties, UNKNOWN } from "../support/plugin-host/plugin-host.ts";
import { SimulatedAtlas } from "../support/simulated-atlas/simulated-atlas.ts";
import { assertBuilt, requireBuilt } from "./built-package.ts";
import {
  checked,
  HostScene,
  type HostSceneOptions,
  inConfiguration,
  inEnvironment,
  PROVIDER,
} from "./host-fixture.ts";
import { killStories } from "./kill-scenarios.ts";
import { Preloads } from "./preloads.ts";

// A process of Node that starts keeps one core busy.
vi.setConfig({ maxConcurrency: 2 });

const INSTALLS: InstallKind[] = ["npm", "pnpm", "workspace", "self"];
const ada = "ada@example.com";
const grace = "grace@example.com";
const orgId = "32b6e34b3d91647abb20e7b8";
const team = "5f0000000000000000000001";
const project = "5f0000000000000000000002";
const otherTeam = "5f0000000000000000000003";
// What Atlas has of those to whom nobody gave a team or a project role.
const none = { teamIds: [], groupRoleAssignments: [] };
// An answer that no client should try again.
const FORBIDDEN = { status: 403, body: { error: 403, errorCode: "NOT_ORG_OWNER", detail: "No owner." } };

const installations = new Map<InstallKind, Installation>();
let preloads: Preloads;

beforeAll(async () => {
  await assertBuilt();
  preloads = await Preloads.write();
  const install = async (kind: InstallKind) => installations.set(kind, await installPackage(kind));
  await Promise.all(INSTALLS.map(install));
});
afterAll(async () => {
  await Promise.all([...installations.values()].map((installation) => installation.dispose()));
  await preloads?.[Symbol.asyncDispose]();
});

const folder = (kind: InstallKind = "npm") => installations.get(kind)?.folder ?? "";
const start = (options?: HostSceneOptions) => HostScene.start(folder(), options);

/** What a call was answered with, which is to be an error. */
async function failure(call: Promise<unknown>): Promise<PluginHostError> {
  const outcome = await call.catch((error: unknown) => error);
  if (outcome instanceof PluginHostError) return outcome;
  throw new Error(`No error, but ${JSON.stringify(outcome)}`);
}

describe("the provider text", () => {
  it("is one constant of under 150 bytes, whatever the resource", async () => {
    const { runtime } = requireBuilt("@pulumi/pulumi") as typeof import("@pulumi/pulumi");
    const { OrgInvitation } = requireBuilt(
      "pulumi-atlas-invitations",
    ) as typeof import("../../provider/index.ts");
    const registered: { type: string; text: unknown }[] = [];
    await runtime.setMocks({
      call: () => ({}),
      newResource: ({ type, name, inputs }) => {
        registered.push({ type, text: inputs.__provider });
        return { id: name, state: inputs };
      },
    });
    const resources = [ada, grace].map(
      (username) => new OrgInvitation(username, { orgId, username, roles: ["ORG_MEMBER"] }),
    );
    await Promise.all(resources.map(({ id }) => new Promise((resolve) => id.apply(resolve))));
    const type = "pulumi-nodejs:dynamic/mongodbatlas:OrgInvitation";
    expect(registered).toEqual([
      { type, text: PROVIDER },
      { type, text: PROVIDER },
    ]);
    expect(Buffer.byteLength(PROVIDER)).toBeLessThan(150);
  });

  it.concurrent.each(INSTALLS)("loads the package from this layout: %s", async (kind) => {
    await using scene = await HostScene.start(folder(kind));
    const { host, organization } = scene;
    const { inputs, failures } = await host.check({}, scene.news({ username: "Ada@Example.com" }));
    expect({ inputs, failures }).toEqual({ inputs: scene.news(), failures: [] });
    const { id, properties } = await host.create(inputs);
    expect(organization.users).toMatchObject([{ username: ada, status: "PENDING", invitationId: id }]);
    await host.delete(id, properties);
    expect(organization.users).toEqual([]);
    expect(scene.requests()).toEqual([
      "GET invites 200",
      "GET users 200",
      "POST invites 200",
      `DELETE invites/${id} 204`,
    ]);
  });
});

describe("a preview, without any credentials", () => {
  let host: PluginHost;
  beforeAll(async () => {
    host = await PluginHost.start({ folder: folder() });
  });
  afterAll(() => host?.stop());

  const news = (changes: Properties = {}) => checked({ orgId, username: ada, ...changes });
  const diff = (olds: Properties, changes: Properties) =>
    host.diff("5f00000000000000000000aa", { ...news(), status: "PENDING", ...olds }, news(changes));

  it.each<Properties>([
    { orgId: UNKNOWN },
    { username: UNKNOWN },
    { roles: UNKNOWN },
    { roles: ["ORG_OWNER", UNKNOWN, "ORG_MEMBER"] },
    { teamIds: UNKNOWN },
    { teamIds: [UNKNOWN, team] },
    { groupRoleAssignments: UNKNOWN },
    { groupRoleAssignments: [UNKNOWN] },
    { groupRoleAssignments: [{ groupId: UNKNOWN, roles: ["GROUP_OWNER"] }] },
    { groupRoleAssignments: [{ groupId: project, roles: UNKNOWN }] },
    { groupRoleAssignments: [{ groupId: project, roles: ["GROUP_OWNER", UNKNOWN] }] },
    { onAccepted: UNKNOWN },
    { reinviteExpired: UNKNOWN },
  ])("takes what is not known yet as it is: %j", async (unknown) => {
    expect(await host.check({}, news(unknown))).toEqual({ inputs: news(unknown), failures: [] });
  });

  it("brings arguments to one spelling and fills in defaults", async () => {
    const given = {
      orgId: orgId.toUpperCase(),
      username: "Ada@Example.com",
      roles: ["ORG_OWNER", "ORG_OWNER"],
    };
    expect(await host.check({}, { ...given, __provider: PROVIDER })).toEqual({
      inputs: news({ roles: ["ORG_OWNER"] }),
      failures: [],
    });
  });

  it("names every wrong argument by its path, next to what is not known yet", async () => {
    const groupRoleAssignments = [{ groupId: "no", roles: [UNKNOWN] }];
    const wrong = { orgId: UNKNOWN, username: "ada", roles: [], groupRoleAssignments };
    const { failures } = await host.check({}, news(wrong));
    expect(failures.map(({ property }) => property)).toEqual([
      "username",
      "roles",
      "groupRoleAssignments[0].groupId",
    ]);
    expect(failures[0]?.reason).toMatch(/^"ada" is not an e-mail address: .*$/);
  });

  it("leaves to the engine what changes in place", async () => {
    const changes = { roles: ["ORG_OWNER"], teamIds: [team], onAccepted: "manage", reinviteExpired: true };
    expect(await diff({}, changes)).toEqual({ changes: undefined, replaces: [], deleteBeforeReplace: false });
  });

  it.each<[string, Properties]>([
    ["username", { username: grace }],
    ["orgId", { orgId: "5f0000000000000000000009" }],
    ["username", { username: UNKNOWN }],
    ["orgId", { orgId: UNKNOWN }],
  ])("replaces, the new one first, for another %s: %j", async (property, changes) => {
    expect(await diff({}, changes)).toEqual({
      changes: undefined,
      replaces: [property],
      deleteBeforeReplace: false,
    });
  });

  it("takes letter case for no change", async () => {
    const shouted = { orgId: orgId.toUpperCase(), username: "ADA@example.com" };
    expect(await diff(shouted, {})).toMatchObject({ changes: undefined, replaces: [] });
  });

  it("says itself that an expired invitation is sent again, which no input shows", async () => {
    expect(await diff({ status: "EXPIRED" }, { reinviteExpired: true })).toEqual({
      changes: true,
      replaces: ["expiresAt"],
      deleteBeforeReplace: true,
    });
  });
});

describe.concurrent("a resource", () => {
  it("is created, read, updated, deleted and read as gone, without a word printed", async () => {
    await using scene = await start();
    const { host, organization, key, atlas } = scene;
    const groupRoleAssignments = [{ groupId: project, roles: ["GROUP_OWNER"] }];
    const news = scene.news({ teamIds: [team], groupRoleAssignments });
    const { id, properties } = await host.create(news);
    const invited = organization.find(ada);
    expect(invited).toMatchObject({ invitationId: id, status: "PENDING", roles: ["ORG_MEMBER"] });
    expect(properties).toEqual({
      ...news,
      status: "PENDING",
      invitationId: id,
      createdAt: invited?.createdAt,
      expiresAt: invited?.expiresAt,
      inviterUsername: key.publicKey,
      orgName: organization.name,
    });
    expect(scene.requests()).toEqual(["GET invites 200", "GET users 200", "POST invites 200"]);

    organization.change(ada, { roles: ["ORG_OWNER"], teamIds: [otherTeam] });
    const found = { roles: ["ORG_OWNER"], teamIds: [otherTeam] };
    expect(await host.read(id, properties)).toEqual({
      id,
      properties: { ...properties, ...found },
      inputs: { ...news, ...found },
    });
    expect(scene.requests()).toEqual(["GET invites 200"]);

    const retain = { ...found, onAccepted: "retain" };
    const retained = await host.update(id, { ...properties, ...found }, { ...news, ...retain });
    expect(retained).toEqual({ ...properties, ...retain });
    expect(scene.requests()).toEqual([]);

    const granted = { roles: ["ORG_READ_ONLY"], teamIds: [], groupRoleAssignments: [] };
    const updated = await host.update(id, retained, { ...news, onAccepted: "retain", ...granted });
    const declared = { teamIds: [], groupRoleAssignments: [] };
    expect(updated).toEqual({ ...properties, onAccepted: "retain", ...granted, __declared: declared });
    expect(atlas.requests.at(-1)?.body).toEqual(granted);
    expect(organization.users).toEqual([{ ...invited, ...granted }]);
    expect(scene.requests()).toEqual([`PATCH invites/${id} 200`]);

    await host.delete(id, updated);
    expect(organization.users).toEqual([]);
    expect(scene.requests()).toEqual([`DELETE invites/${id} 204`]);
    expect(await host.read(id, updated)).toEqual({
      id: "",
      properties: { __provider: PROVIDER },
      inputs: undefined,
    });
    expect(atlas.mails).toHaveLength(1);
    expect(await scene.printed()).toEqual({ stdout: "", stderr: "" });
  });

  it("is read with nothing but inputs, as for a get", async () => {
    await using scene = await start();
    const { invitationId: id = "", createdAt, expiresAt } = scene.organization.invite(ada);
    expect(await scene.host.read(id, {}, scene.news())).toEqual({
      id,
      properties: {
        ...scene.news(),
        ...none,
        status: "PENDING",
        invitationId: id,
        createdAt,
        expiresAt,
        inviterUsername: "owner@example.com",
        orgName: "Example",
      },
      inputs: scene.news(),
    });
  });

  it("shows among its inputs, too, that the person accepted", async () => {
    await using scene = await start();
    const { id, properties } = await scene.host.create(scene.news());
    scene.organization.accept(ada);
    const { userId } = scene.organization.find(ada) ?? {};
    const read = await scene.host.read(id, properties);
    expect(read).toEqual({
      id,
      properties: { ...properties, status: "ACCEPTED", userId },
      inputs: { ...scene.news(), status: "ACCEPTED" },
    });
    // The next `up` checks the program's arguments against them.
    expect(await scene.host.check(read.inputs ?? {}, scene.news())).toEqual({
      inputs: { ...scene.news(), status: "ACCEPTED" },
      failures: [],
    });
  });

  it("leaves out what Atlas does not tell, so that an adopted member is answered and not orphaned", async () => {
    await using scene = await start();
    const { userId = "" } = scene.organization.addMember(ada);
    const news = scene.news({ onAccepted: "retain" });
    const { id, properties } = await scene.host.create(news);
    expect({ id, properties }).toEqual({
      id: userId,
      properties: { ...news, ...none, status: "ACCEPTED", userId },
    });
    expect(await scene.host.update(id, properties, news)).toEqual(properties);
    expect(await scene.host.read(id, properties)).toEqual({ id, properties, inputs: undefined });
    await scene.host.delete(id, properties);
    expect(scene.organization.users).toMatchObject([{ username: ada, status: "ACTIVE" }]);
    expect(scene.requests()).toEqual([
      "GET invites 200",
      "GET users 200",
      "GET invites 200",
      "GET users 200",
    ]);
  });
});

describe.concurrent("an invitation that was sent but not completed", () => {
  /** Atlas drops the team without a word, and refuses it when asked again. */
  async function incomplete(scene: HostScene) {
    scene.atlas.settings.ignoresOnCreate = ["teamIds"];
    scene.atlas.fail({ method: "PATCH", ...FORBIDDEN });
    const error = await failure(scene.host.create(scene.news({ teamIds: [team] })));
    const { id = "", properties = {}, reasons } = error.partial ?? {};
    scene.atlas.forget();
    return { error, id, properties, reasons };
  }

  it("is handed over with its id, its properties and the reason, and deleted by what was stored of it", async () => {
    await using scene = await start();
    const { error, id, properties, reasons } = await incomplete(scene);
    const invited = scene.organization.find(ada);
    expect(id).toBe(invited?.invitationId);
    expect(properties).toEqual({
      ...scene.news(),
      ...none,
      __declared: { teamIds: [team] },
      status: "PENDING",
      invitationId: id,
      createdAt: invited?.createdAt,
      expiresAt: invited?.expiresAt,
      inviterUsername: scene.key.publicKey,
      orgName: "Example",
    });
    expect(error.code).toBe(2);
    // The engine shows the reasons in place of the message.
    expect(reasons).toEqual([error.message]);
    expect(error.message).toMatch(
      /^ada@example\.com was invited to [0-9a-f]{24}, but without all .* NOT_ORG_OWNER: .* Run pulumi up again to complete it\.$/,
    );
    await scene.host.delete(id, properties);
    expect(scene.organization.users).toEqual([]);
    expect(scene.requests()).toEqual([`DELETE invites/${id} 204`]);
  });

  it("is completed by the next update", async () => {
    await using scene = await start();
    const { id, properties } = await incomplete(scene);
    const updated = await scene.host.update(id, properties, scene.news({ teamIds: [team] }));
    const { __declared, ...complete } = properties;
    expect(updated).toEqual({ ...complete, teamIds: [team] });
    expect(scene.organization.users).toMatchObject([{ invitationId: id, teamIds: [team] }]);
    // The request names the roles as well: they are looked up, so that it changes none.
    expect(scene.requests()).toEqual(["GET invites 200", `PATCH invites/${id} 200`]);
    expect(scene.atlas.mails).toHaveLength(1);
  });
});

describe.concurrent("what the host prints", () => {
  it("is one line on stdout for each notice", async () => {
    await using scene = await start();
    const { host, organization } = scene;
    const { expiresAt } = organization.invite(ada);
    organization.addMember(grace);
    await host.check({}, scene.news({ roles: ["ORG_MEMBER", "ORG_WIZARD"] }));
    await host.create(scene.news());
    await host.create(scene.news({ username: grace, onAccepted: "retain" }));
    expect(await scene.printed()).toEqual({
      stdout: [
        `warning: ${ada}: this version does not know the role ORG_WIZARD. It is sent to Atlas as it is.\n`,
        `${ada} was already invited to ${organization.id}, by owner@example.com: adopted the invitation, which expires on ${expiresAt}; no other e-mail is sent. Destroying this resource cancels the invitation that owner@example.com sent.\n`,
        `${grace} is already a member of ${organization.id}: adopted the member; no invitation is sent. Destroying this resource keeps them.\n`,
      ].join(""),
      stderr: "",
    });
  });

  it("is one short line on stderr for an error of delete or read, none for the others, next to the sentence", async () => {
    await using scene = await start();
    const { host, organization, atlas } = scene;
    organization.invite(ada);
    const state = scene.state(ada);
    const id = String(state.invitationId);
    organization.accept(ada);
    const creation = await failure(host.create(scene.news()));
    expect(creation).toMatchObject({ code: 2, partial: undefined });
    expect(creation.message).toMatch(
      /^ada@example\.com is already a member of [0-9a-f]{24}, so no invitation was sent\. If this resource was renamed .* set onAccepted to .*\.$/,
    );
    const update = await failure(host.update(id, state, scene.news({ roles: ["ORG_OWNER"] })));
    expect(update).toMatchObject({ code: 2, partial: undefined });
    expect(update.message).toMatch(
      /^ada@example\.com has accepted the invitation to [0-9a-f]{24}, so it can no longer be changed\. Set onAccepted to .*\.$/,
    );
    expect(await failure(host.delete(id, state))).toMatchObject({
      code: 2,
      message: `ada@example.com has accepted the invitation to ${organization.id}, so it can no longer be deleted. Set onAccepted to "retain" (keep the member, forget the invitation) or "manage" (remove the member), run pulumi up, then destroy again. If the program no longer declares them, pulumi state delete and the URN forgets the resource and keeps the member.`,
    });
    atlas.fail({
      method: "GET",
      status: 403,
      body: { errorCode: "ORG_REQUIRES_ACCESS_LIST", detail: "No." },
    });
    const read = await failure(host.read(id, state));
    expect(read.code).toBe(2);
    expect(read.message).toMatch(
      /^It is unknown whether ada@example\.com is invited to [0-9a-f]{24}, .* answered 403 ORG_REQUIRES_ACCESS_LIST: .*\.$/,
    );
    expect(organization.users).toMatchObject([{ username: ada, status: "ACTIVE", roles: ["ORG_MEMBER"] }]);
    expect(await scene.printed()).toEqual({
      stdout: "",
      stderr: "OrgInvitation delete: see its error\nOrgInvitation read: see its error\n",
    });
  });
});

describe.concurrent("settings", () => {
  it("reach all first calls at once from the stack configuration, the secret one too", async () => {
    await using scene = await start({ told: inConfiguration });
    const { host, organization } = scene;
    const leaving = ["a", "b", "c", "d"].map((name) => `${name}@example.com`);
    const staying = ["e", "f"].map((name) => `${name}@example.com`);
    for (const username of [...leaving, ...staying]) organization.invite(username);
    const states = leaving.map(scene.state, scene);
    const [reads] = await Promise.all([
      Promise.all(staying.map((username) => host.read("id", scene.state(username)))),
      ...states.map((state) => host.delete(String(state.invitationId), state)),
    ]);
    expect(reads.map(({ properties }) => properties.username)).toEqual(staying);
    expect(organization.users.map(({ username }) => username)).toEqual(staying);
    expect(scene.atlas.requests.filter(({ challenge }) => challenge)).toHaveLength(1);
    expect(scene.requests().sort()).toEqual([
      ...states.map(({ invitationId }) => `DELETE invites/${invitationId} 204`),
      "GET invites 200",
    ]);
  });

  it("are those of the environment where the configuration has them as well", async () => {
    await using other = await SimulatedAtlas.start();
    await using scene = await start({
      told: (atlas, key) => {
        const otherKey = other.addApiKey({ organization: other.addOrganization() });
        return { ...inEnvironment(atlas, key), ...inConfiguration(other, otherKey) };
      },
    });
    await scene.host.create(scene.news());
    expect(scene.organization.users).toMatchObject([{ inviterUsername: scene.key.publicKey }]);
    expect(other.requests).toEqual([]);
  });

  it("are asked for by the names that give them, where there are no credentials", async () => {
    await using scene = await start({ told: ({ url }) => ({ env: { MONGODB_ATLAS_BASE_URL: url } }) });
    const { inputs, failures } = await scene.host.check({}, scene.news());
    expect(failures).toEqual([]);
    const { message } = await failure(scene.host.create(inputs));
    expect(message).toMatch(/^There are no credentials for Atlas\. Set .*\.$/);
    for (const name of [
      "MONGODB_ATLAS_PUBLIC_KEY",
      "MONGODB_ATLAS_PRIVATE_KEY",
      "mongodbatlas:publicKey",
      "mongodbatlas:privateKey",
    ]) {
      expect(message).toContain(name);
    }
    expect(await scene.printed()).toEqual({ stdout: "", stderr: "" });
    expect(scene.atlas.requests).toEqual([]);
  });

  it.each<[string, typeof inEnvironment]>([
    ["the environment (MONGODB_ATLAS_PUBLIC_KEY and MONGODB_ATLAS_PRIVATE_KEY)", inEnvironment],
    ["the stack configuration (mongodbatlas:publicKey and mongodbatlas:privateKey)", inConfiguration],
  ])("that Atlas refuses are named by where they were read, without the key: %s", async (source, tell) => {
    const privateKey = "11111111-2222-3333-4444-555555555555";
    await using scene = await start({ told: (atlas, key) => tell(atlas, { ...key, privateKey }) });
    const { host, organization } = scene;
    organization.invite(ada);
    const errors = [
      await failure(host.create(scene.news({ username: grace }))),
      await failure(host.delete("id", scene.state(ada))),
    ];
    for (const { message } of errors) {
      expect(message).toMatch(/^.* Atlas does not accept .*\.$/);
      expect(message).toContain(` read from ${source}: `);
      expect(message).not.toContain(privateKey);
    }
    expect(organization.users).toMatchObject([{ username: ada, status: "PENDING" }]);
    expect(await scene.printed()).toEqual({ stdout: "", stderr: "OrgInvitation delete: see its error\n" });
  });
});

describe("the end of the host", () => {
  it("gives back the token of a service account, though the engine only interrupts the process", async () => {
    await using scene = await start({
      told: (atlas, { organization }) => {
        const { clientId, clientSecret } = atlas.addServiceAccount({ organization });
        return {
          env: {
            MONGODB_ATLAS_BASE_URL: atlas.url,
            MONGODB_ATLAS_CLIENT_ID: clientId,
            MONGODB_ATLAS_CLIENT_SECRET: clientSecret,
          },
        };
      },
    });
    await scene.host.create(scene.news());
    expect(scene.atlas.tokens).toMatchObject([{ revoked: false }]);
    expect(await scene.printed()).toEqual({ stdout: "", stderr: "" });
    expect(scene.atlas.tokens).toMatchObject([{ revoked: true }]);
    expect(scene.requests()).toEqual([
      "POST /api/oauth/token 200",
      "GET invites 200",
      "GET users 200",
      "POST invites 200",
      "POST /api/oauth/revoke 200",
    ]);
  });
});

killStories(folder);

describe("the network", () => {
  it("is not loaded by check and diff, which run for every resource of every preview", async () => {
    await using scene = await start({ preload: preloads.recording });
    const { host } = scene;
    const { inputs } = await host.check({}, scene.news());
    await host.diff("id", { ...inputs, status: "PENDING" }, scene.news({ roles: ["ORG_OWNER"] }));
    const loaded = await preloads.loaded();
    expect(loaded).toContain("valibot");
    expect(loaded).not.toContain("undici");
    expect(loaded).not.toContain("digest-fetch");
    await host.create(inputs);
    expect(await preloads.loaded()).toEqual(expect.arrayContaining(["undici", "digest-fetch"]));
  });
});

describe.concurrent("what nobody foresaw", () => {
  const operations = (scene: HostScene, username: string): Promise<unknown>[] => {
    const { host } = scene;
    const news = scene.news({ username });
    const state = { ...news, status: "PENDING", invitationId: "5f00000000000000000000aa" };
    return [
      host.check({}, news),
      host.diff("id", state, news),
      host.create(news),
      host.read("id", state),
      host.update("id", state, news),
      host.delete("id", state),
    ];
  };

  it("is answered with an error by every operation, whatever was thrown", async () => {
    await using scene = await start({ preload: preloads.throwing });
    const messages = async (username: string) => {
      const errors = await Promise.all(operations(scene, username).map(failure));
      expect(errors.map(({ code }) => code)).toEqual([2, 2, 2, 2, 2, 2]);
      return new Set(errors.map(({ message }) => message));
    };
    expect(await messages("string@example.com")).toEqual(new Set(["a string"]));
    expect(await messages("undefined@example.com")).toEqual(new Set(["undefined"]));
    expect(await messages("null@example.com")).toEqual(new Set(["null"]));
    expect(await messages("number@example.com")).toEqual(new Set(["42"]));
    expect((await messages("object@example.com")).size).toBe(1);
    expect((await messages("bare@example.com")).size).toBe(1);
    expect(scene.requests()).toEqual([]);
    // The host is as good as before.
    await scene.host.create(scene.news());
    expect(scene.organization.users).toMatchObject([{ username: ada }]);
  });

  it("keeps its stack on stderr, whatever the operation", async () => {
    await using scene = await start({ preload: preloads.throwing });
    const errors = await Promise.all(operations(scene, "bug@example.com").map(failure));
    expect(new Set(errors.map(({ message }) => message))).toEqual(new Set(["a bug"]));
    const { stdout, stderr } = await scene.printed();
    expect(stdout).toBe("");
    const stacks = stderr.split(/^(?=TypeError: a bug)/m);
    expect(stacks).toHaveLength(6);
    for (const stack of stacks) expect(stack).toMatch(/^ +at .*org-invitation-provider/m);
  });
});
