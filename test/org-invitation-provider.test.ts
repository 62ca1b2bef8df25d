import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import * as provider from "../provider/org-invitation-provider.ts";
import type { Organization } from "./atlas/organization.ts";
import { SimulatedAtlas } from "./atlas/simulated-atlas.ts";

const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const __provider = "the provider text";
const ada = "ada@example.com";
const orgId = "32b6e34b3d91647abb20e7b8";
const team = "5f0000000000000000000001";
const declared = { orgId, username: ada, roles: ["ORG_MEMBER"] };
const inputs = {
  ...declared,
  teamIds: [],
  groupRoleAssignments: [],
  onAccepted: "fail",
  reinviteExpired: false,
};
const news = { ...inputs, __provider };

let atlas: SimulatedAtlas;
let organization: Organization;
let settings: Record<string, string>;

beforeEach(async () => {
  for (const name of Object.keys(process.env).filter((name) => /^(MONGODB_ATLAS|MCLI)_/.test(name))) {
    vi.stubEnv(name, undefined);
  }
  atlas = await SimulatedAtlas.start();
  organization = atlas.addOrganization({ id: orgId });
  const { publicKey, privateKey } = atlas.addApiKey({ organization });
  settings = {
    "mongodbatlas:baseUrl": atlas.url,
    "mongodbatlas:publicKey": publicKey,
    "mongodbatlas:privateKey": privateKey,
  };
  provider.configure({ config: { get: (name: string) => settings[name] } as never });
});

afterEach(async () => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  await atlas.stop();
});

/** What the plugin prints meanwhile, line by line. */
async function printed(run: () => Promise<unknown>): Promise<unknown[]> {
  const print = vi.spyOn(console, "log").mockImplementation(() => undefined);
  await run();
  return print.mock.calls.flat();
}

describe("check", () => {
  test("fills in defaults and brings inputs to one spelling", async () => {
    const given = { ...declared, orgId: orgId.toUpperCase(), username: "Ada@Example.com", __provider };
    expect(await provider.check({}, given)).toEqual({ inputs, failures: [] });
  });

  test("reports failures at their property path", async () => {
    const { failures } = await provider.check(undefined, { ...news, roles: [], orgId: "no" });
    expect(failures?.map(({ property }) => property)).toEqual(["orgId", "roles"]);
  });

  test("prints one line for a role that it does not know", async () => {
    const lines = await printed(() => provider.check({}, { ...news, roles: ["ORG_WIZARD"] }));
    expect(lines).toEqual([
      `warning: ${ada}: this version does not know the role ORG_WIZARD. It is sent to Atlas as it is.`,
    ]);
  });

  test("keeps the status that a refresh found, and only that", async () => {
    expect(await provider.check({ status: "ACCEPTED" }, news)).toEqual({
      inputs: { ...inputs, status: "ACCEPTED" },
      failures: [],
    });
    expect(await provider.check({}, { ...news, status: UNKNOWN })).toEqual({ inputs, failures: [] });
  });
});

describe("diff", () => {
  const diff = (olds: object, changes: object) =>
    provider.diff("id", { ...news, ...olds }, { ...news, ...changes });

  test("leaves what can be updated to the engine", async () => {
    expect(await diff({ status: "PENDING" }, { roles: ["ORG_OWNER"], onAccepted: "manage" })).toEqual({
      replaces: [],
      deleteBeforeReplace: true,
    });
  });

  test("replaces for another organization or person, also where they are not known yet", async () => {
    const replaces = ["orgId", "username"];
    const others = { orgId: "5f0000000000000000000009", username: "grace@example.com" };
    expect(await diff({}, others)).toEqual({ replaces, deleteBeforeReplace: true });
    expect(await diff({}, { orgId: UNKNOWN })).toMatchObject({ replaces: ["orgId"] });
  });

  test("takes letter case for no change", async () => {
    const shouted = { orgId: orgId.toUpperCase(), username: "ADA@example.com" };
    expect(await diff(shouted, {})).toMatchObject({ replaces: [] });
  });

  test("replaces what a state written by hand says nothing of", async () => {
    expect(await provider.diff("id", { __provider }, news)).toMatchObject({
      replaces: ["orgId", "username"],
    });
  });

  test("replaces an expired invitation only where that is asked for", async () => {
    const replaced = { changes: true, replaces: ["expiresAt"], deleteBeforeReplace: true };
    expect(await diff({ status: "EXPIRED" }, { reinviteExpired: true })).toEqual(replaced);
    expect(await diff({ status: "EXPIRED" }, {})).toMatchObject({ replaces: [] });
    expect(await diff({ status: "PENDING" }, { reinviteExpired: true })).toMatchObject({ replaces: [] });
  });
});

describe("the life of a resource", () => {
  test("goes from create through read and update to delete", async () => {
    const { id, outs } = await provider.create(news);
    const invitation = organization.find(ada);
    expect(id).toBe(invitation?.invitationId);
    expect(outs).toEqual({
      ...inputs,
      status: "PENDING",
      invitationId: id,
      createdAt: invitation?.createdAt,
      expiresAt: invitation?.expiresAt,
      inviterUsername: settings["mongodbatlas:publicKey"],
      orgName: "Example",
    });
    // The host cannot answer with what is undefined.
    expect(Object.values(outs ?? {})).not.toContain(undefined);
    const state = { ...outs, __provider };

    organization.change(ada, { roles: ["ORG_OWNER"], teamIds: [team] });
    const found = { roles: ["ORG_OWNER"], teamIds: [team] };
    expect(await provider.read(id, state)).toEqual({
      id,
      props: { ...outs, ...found },
      inputs: { ...inputs, ...found },
    });

    const { outs: updated } = await provider.update(
      id,
      { ...state, ...found },
      { ...news, roles: ["ORG_READ_ONLY"] },
    );
    expect(updated).toEqual({ ...outs, roles: ["ORG_READ_ONLY"] });
    expect(organization.find(ada)).toMatchObject({ roles: ["ORG_READ_ONLY"], teamIds: [] });

    await provider.delete(id, { ...updated, __provider });
    expect(organization.users).toEqual([]);
    expect(await provider.read(id, { ...updated, __provider })).toEqual({});
  });

  test("shows among the inputs what became of a person", async () => {
    const { id, outs } = await provider.create(news);
    organization.accept(ada);
    const { userId } = organization.find(ada) ?? {};
    expect(await provider.read(id, { ...outs, __provider })).toEqual({
      id,
      props: { ...outs, status: "ACCEPTED", userId },
      inputs: { ...inputs, status: "ACCEPTED" },
    });
  });

  test("shows among the inputs when an invitation expired", async () => {
    const { id, outs } = await provider.create(news);
    organization.expire(ada);
    const { expiresAt } = organization.find(ada) ?? {};
    const read = await provider.read(id, { ...outs, __provider });
    expect(read.inputs).toEqual({ ...inputs, status: "EXPIRED", expiresAt });
    expect(await provider.check(read.inputs, news)).toEqual({ inputs: read.inputs, failures: [] });
  });

  test("takes the user's id where Atlas gave no invitation id", async () => {
    const { userId } = organization.addMember(ada);
    vi.spyOn(console, "log").mockImplementation(() => undefined);
    const { id, outs } = await provider.create({ ...news, onAccepted: "retain" });
    expect(id).toBe(userId);
    expect(await provider.read(id, { ...outs, __provider })).toMatchObject({ id: userId });
  });

  test("follows an invitation that was sent anew, with its id", async () => {
    const { id, outs } = await provider.create(news);
    organization.cancel(ada);
    const { invitationId } = organization.invite(ada);
    expect(await provider.read(id, { ...outs, __provider })).toMatchObject({
      id: invitationId,
      props: { invitationId },
    });
  });

  test("prints one line when it adopts", async () => {
    organization.invite(ada);
    const lines = await printed(() => provider.create(news));
    expect(lines).toEqual([
      expect.stringMatching(/^ada@example.com was already invited to .* no other e-mail is sent\.$/),
    ]);
  });

  test("stores an invitation that was sent but not completed, as the host demands it", async () => {
    atlas.settings.ignoresOnCreate = ["teamIds"];
    atlas.fail({ method: "PATCH", status: 501, body: "" });
    const error = await provider.create({ ...news, teamIds: [team] }).catch((error: unknown) => error);
    const { invitationId } = organization.find(ada) ?? {};
    expect(error).toMatchObject({
      id: invitationId,
      properties: { ...inputs, invitationId, status: "PENDING", teamIds: [], __provider },
      reasons: [expect.stringContaining("was invited to")],
    });
    const { properties } = error as { properties: Record<string, unknown> };
    await provider.delete(String(invitationId), properties);
    expect(organization.users).toEqual([]);
  });

  test("goes on with a state that somebody wrote for an import", async () => {
    const { invitationId = "" } = organization.invite(ada);
    const read = await provider.read(invitationId, { ...declared, username: "ADA@example.com", __provider });
    expect(read).toMatchObject({ id: invitationId, inputs, props: { status: "PENDING", invitationId } });
    await provider.delete(invitationId, { ...declared, __provider });
    expect(organization.users).toEqual([]);
  });

  test("says what is wrong with a state that cannot be used", async () => {
    await expect(provider.read("id", { ...declared, roles: "ORG_MEMBER", __provider })).rejects.toThrow(
      /^The state of this resource cannot be used\. roles: "ORG_MEMBER" is not a list/,
    );
  });
});

describe("settings", () => {
  test("are read again by every operation", async () => {
    await provider.create(news);
    const other = await SimulatedAtlas.start();
    const key = other.addApiKey({ organization: other.addOrganization({ id: orgId }) });
    vi.stubEnv("MONGODB_ATLAS_BASE_URL", other.url);
    vi.stubEnv("MONGODB_ATLAS_PUBLIC_KEY", key.publicKey);
    vi.stubEnv("MONGODB_ATLAS_PRIVATE_KEY", key.privateKey);
    await provider.create(news);
    expect(other.mails).toHaveLength(1);
    expect(atlas.mails).toHaveLength(1);
    await other.stop();
  });

  test("keep one connection for as long as they stay the same", async () => {
    const { id, outs } = await provider.create(news);
    await provider.delete(id, { ...outs, __provider });
    expect(atlas.requests.filter(({ challenge }) => challenge)).toHaveLength(1);
  });
});

describe("the token of a service account", () => {
  test.each(["SIGINT", "SIGTERM"] as const)("is given back when %s ends the process", async (signal) => {
    const { clientId, clientSecret } = atlas.addServiceAccount({ organization });
    vi.stubEnv("MONGODB_ATLAS_CLIENT_ID", clientId);
    vi.stubEnv("MONGODB_ATLAS_CLIENT_SECRET", clientSecret);
    const before = process.listeners(signal);
    await provider.create(news);
    const [end, ...others] = process.listeners(signal).filter((listener) => !before.includes(listener));
    expect(others).toEqual([]);
    expect(atlas.tokens).toMatchObject([{ revoked: false }]);

    const ended = new Promise((resolve) => vi.spyOn(process, "exit").mockImplementation(resolve as never));
    end?.(signal);
    await ended;
    expect(atlas.tokens).toMatchObject([{ revoked: true }]);
    for (const name of ["SIGINT", "SIGTERM"]) process.removeAllListeners(name);
  });

  test("is not waited for where there is none", async () => {
    const before = process.listenerCount("SIGINT");
    await provider.create(news);
    expect(process.listenerCount("SIGINT")).toBe(before);
  });
});

describe("errors", () => {
  test("are one message for the engine and one short line for stderr", async () => {
    organization.addMember(ada);
    const error = (await provider.create(news).catch((error: unknown) => error)) as Error;
    expect(error.message).toMatch(/^ada@example.com is already a member of/);
    expect(`${error}: ${error.stack}`).toBe("OrgInvitation create: see its error");
  });

  test("name the person and the organization, whatever Atlas says", async () => {
    const { id, outs } = await provider.create(news);
    atlas.fail({ method: "DELETE", status: 400, body: "{" });
    await expect(provider.delete(id, { ...outs, __provider })).rejects.toThrow(
      `${ada} in ${orgId}: DELETE /api/atlas/v2/orgs/${orgId}/invites/${id} answered 400: with something that is not whole JSON`,
    );
    settings["mongodbatlas:invitationsApi"] = "v3";
    await expect(provider.delete(id, { ...outs, __provider })).rejects.toThrow(
      /^mongodbatlas:invitationsApi is/,
    );
  });

  test.each([
    ["create", () => provider.create(news)],
    ["update", () => provider.update("id", news, { ...news, roles: ["ORG_OWNER"] })],
  ] as const)(
    "that nobody foresaw in %s are printed with their stack, as the host does not",
    async (_, run) => {
      const print = vi.spyOn(console, "error").mockImplementation(() => undefined);
      provider.configure({
        config: {
          get: () => {
            throw new TypeError("a bug");
          },
        } as never,
      });
      await expect(run()).rejects.toThrow("a bug");
      expect(print.mock.calls).toEqual([[expect.stringMatching(/^TypeError: a bug\n +at /)]]);
    },
  );

  test("that nobody foresaw keep their stack, and are errors whatever was thrown", async () => {
    provider.configure({
      config: {
        get: () => {
          throw "a string";
        },
      } as never,
    });
    const error = (await provider.delete("id", news).catch((error: unknown) => error)) as Error;
    expect(error).toBeInstanceOf(Error);
    expect(error.message).toBe("a string");
    expect(error.stack).toContain("org-invitation-provider");
  });
});
