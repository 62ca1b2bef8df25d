import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { systemClock } from "../../../provider/atlas/clock.ts";
import { Transport } from "../../../provider/atlas/transport.ts";
import * as provider from "../../../provider/dynamic/org-invitation-provider.ts";
import { deferred } from "../../support/deferred.ts";
import type { Organization } from "../../support/simulated-atlas/organization.ts";
import { SimulatedAtlas } from "../../support/simulated-atlas/simulated-atlas.ts";

const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const __provider = "the provider text";
const ada = "ada@example.com";
// Processes tell each other whom they declare: two runs of this file are to declare different people.
const orgId = randomBytes(12).toString("hex");
const team = "5f0000000000000000000001";
const declared = { orgId, username: ada, roles: ["ORG_MEMBER"] };
const defaults = { onAccepted: "fail", reinviteExpired: false };
const inputs = { ...declared, ...defaults };
const news = { ...inputs, __provider };
const nothing = { teamIds: [], groupRoleAssignments: [] };
/** As 0.1.0 stored it: what was left out, as an empty list. */
const stored010 = { ...inputs, ...nothing, status: "PENDING", __provider };

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

type Properties = Record<string, unknown>;

let atlas: SimulatedAtlas;
let organization: Organization;
let settings: Record<string, string>;
let listeners: Record<(typeof SIGNALS)[number], NodeJS.SignalsListener[]>;

beforeEach(async () => {
  listeners = { SIGINT: process.listeners("SIGINT"), SIGTERM: process.listeners("SIGTERM") };
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
  nextRun();
});

afterEach(async () => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  await atlas.stop();
  // A connection waits for the end of the process.
  for (const signal of SIGNALS) for (const end of endings(signal)) process.off(signal, end);
});

/** What was added since the beginning of the test, to be called when the process ends. */
function endings(signal: (typeof SIGNALS)[number]) {
  return process.listeners(signal).filter((listener) => !listeners[signal].includes(listener));
}

/** What the plugin prints meanwhile, line by line. */
async function printed(run: () => Promise<unknown>): Promise<unknown[]> {
  const print = vi.spyOn(console, "log").mockImplementation(() => undefined);
  await run();
  return print.mock.calls.flat();
}

const urn = (name: string) =>
  `urn:pulumi:dev::people::pulumi-nodejs:dynamic/mongodbatlas:OrgInvitation::${name}`;

/** What the engine does to create a resource. */
async function created(name: string, args: Properties = news) {
  const { inputs = {} } = await provider.check({}, { ...args, __resource: urn(name) });
  const { id, outs } = await provider.create({ ...inputs, __provider });
  return { id, outs: { ...outs, __provider } as Properties, inputs: { ...inputs, __provider } as Properties };
}

/** What the engine does with a resource that stays as it is. */
async function kept(name: string, { id, outs, inputs }: Awaited<ReturnType<typeof created>>) {
  const checked = await provider.check(inputs, { ...inputs, __resource: urn(name) });
  return provider.diff(id, outs, { ...checked.inputs, __provider });
}

/** The next run of Pulumi, in a process of its own. */
function nextRun(): void {
  provider.configure({ config: { get: (name: string) => settings[name] } as never });
}

describe("check", () => {
  test("fills in defaults and brings inputs to one spelling", async () => {
    const given = { ...declared, orgId: orgId.toUpperCase(), username: "Ada@Example.com", __provider };
    expect(await provider.check({}, given)).toEqual({ inputs, failures: [] });
    const lists = { ...nothing, __resource: urn("ada") };
    expect(await provider.check({}, { ...given, ...lists })).toEqual({
      inputs: { ...inputs, ...nothing },
      failures: [],
    });
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
    const expired = { status: "EXPIRED", expiresAt: "2026-09-09T03:03:37Z" };
    for (const status of [{ status: "ACCEPTED" }, { status: "REJECTED" }, { status: "EXPIRED" }, expired]) {
      expect(await provider.check({ ...inputs, ...status }, news)).toEqual({
        inputs: { ...inputs, ...status },
        failures: [],
      });
    }
    for (const olds of [undefined, {}, inputs, { ...inputs, ...expired, status: "PENDING" }]) {
      expect(await provider.check(olds, { ...news, status: UNKNOWN })).toEqual({ inputs, failures: [] });
    }
  });

  test("passes what a program may not declare where ignoreChanges puts what is stored in its place", async () => {
    const roles = ["GROUP_OWNER"];
    expect(await provider.check({ ...inputs, roles }, { ...news, roles })).toEqual({
      inputs: { ...inputs, roles },
      failures: [],
    });
    const { failures } = await provider.check(inputs, { ...news, roles });
    expect(failures).toHaveLength(1);
  });
});

describe("diff", () => {
  const diff = (olds: object, changes: object) =>
    provider.diff("id", { ...news, ...olds }, { ...news, ...changes });
  const update = { replaces: [], deleteBeforeReplace: false };

  test("leaves what can be updated to the engine", async () => {
    const changes = { roles: ["ORG_OWNER"], onAccepted: "manage" };
    expect(await diff({ status: "PENDING" }, changes)).toEqual(update);
    expect(await diff({ status: "PENDING" }, {})).toEqual(update);
  });

  test("replaces for another organization or person, the new one first, also where they are unknown", async () => {
    const others = { orgId: "5f0000000000000000000009", username: "grace@example.com" };
    const replaces = ["orgId", "username"];
    expect(await diff({}, others)).toEqual({ replaces, deleteBeforeReplace: false });
    expect(await diff({}, { orgId: UNKNOWN })).toEqual({ replaces: ["orgId"], deleteBeforeReplace: false });
  });

  test("takes letter case for no change, nor the address that Atlas has of the same person", async () => {
    const shouted = { orgId: orgId.toUpperCase(), username: "ADA@example.com" };
    expect(await diff(shouted, {})).toEqual(update);
    const known = { username: "ada.l@example.com", __knownAs: ada };
    expect(await diff(known, {})).toEqual(update);
    expect(await diff(known, { username: "grace@example.com" })).toMatchObject({ replaces: ["username"] });
  });

  test("replaces what a state written by hand says nothing of", async () => {
    const replaces = ["orgId", "username"];
    expect(await provider.diff("id", { __provider }, news)).toMatchObject({ replaces });
  });

  test("replaces an expired invitation only where that is asked for, the old one first", async () => {
    const replaced = { changes: true, replaces: ["expiresAt"], deleteBeforeReplace: true };
    const reinvited = { reinviteExpired: true };
    expect(await diff({ status: "EXPIRED" }, reinvited)).toEqual(replaced);
    expect(await diff({ status: "EXPIRED" }, {})).toEqual(update);
    expect(await diff({ status: "PENDING" }, reinvited)).toEqual(update);
  });

  test("replaces an expired invitation by one to somebody else, the new one first", async () => {
    const changes = { reinviteExpired: true, username: "grace@example.com" };
    expect(await diff({ status: "EXPIRED" }, changes)).toEqual({
      changes: true,
      replaces: ["username", "expiresAt"],
      deleteBeforeReplace: false,
    });
  });

  test("finds no change where 0.1.0 stored an empty list for what is left out", async () => {
    expect(await provider.diff("id", stored010, news)).toEqual({ ...update, changes: false });
    const teamIds = [team];
    expect(await provider.diff("id", { ...stored010, teamIds }, { ...news, teamIds })).toEqual({
      ...update,
      changes: false,
    });
    for (const changes of [{ roles: ["ORG_OWNER"] }, { teamIds }, { teamIds: [] }, { teamIds: UNKNOWN }]) {
      expect(await provider.diff("id", stored010, { ...news, ...changes })).toEqual(update);
    }
  });
});

describe("the life of a resource", () => {
  test("goes from create through read and update to delete", async () => {
    const { id, outs } = await provider.create(news);
    const invitation = organization.find(ada);
    expect(id).toBe(invitation?.invitationId);
    expect(outs).toEqual({
      ...inputs,
      ...nothing,
      status: "PENDING",
      invitationId: id,
      createdAt: invitation?.createdAt,
      expiresAt: invitation?.expiresAt,
      inviterUsername: settings["mongodbatlas:publicKey"],
      orgName: "Example",
    });
    const state = { ...outs, __provider };

    organization.change(ada, { roles: ["ORG_OWNER"], teamIds: [team] });
    const found = { roles: ["ORG_OWNER"], teamIds: [team] };
    const read = await provider.read(id, state);
    expect(read).toEqual({
      id,
      props: { ...outs, ...found, __declared: { teamIds: null } },
      inputs: { ...inputs, roles: ["ORG_OWNER"] },
    });

    const changed = { ...news, roles: ["ORG_READ_ONLY"], teamIds: [] };
    const { outs: updated } = await provider.update(id, { ...read.props, __provider }, changed);
    expect(updated).toEqual({ ...outs, roles: ["ORG_READ_ONLY"], __declared: { teamIds: [] } });
    expect(organization.find(ada)).toMatchObject({ roles: ["ORG_READ_ONLY"], teamIds: [] });

    await provider.delete(id, { ...updated, __provider });
    expect(organization.users).toEqual([]);
    expect(await provider.read(id, { ...updated, __provider })).toEqual({});
  });

  test("has no property that is undefined, which the host could not answer with", async () => {
    organization.rewrite(ada, ({ expiresAt: _, inviterUsername: __, orgName: ___, ...view }) => view);
    const { id, outs } = await provider.create(news);
    const { props, inputs } = await provider.read(id, { ...outs, teamIds: [team], __provider });
    const { outs: updated } = await provider.update(id, { ...props }, { ...news, roles: ["ORG_OWNER"] });
    for (const properties of [outs, props, inputs, updated]) {
      expect(properties).toMatchObject({ username: ada });
      expect(Object.values(properties as object)).not.toContain(undefined);
    }
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

  test("keeps the inputs that 0.1.0 stored where a refresh finds nothing new", async () => {
    const { id, outs } = await provider.create(news);
    const { __declared: _, ...rest } = { ...outs, ...nothing } as Properties;
    const stored = { ...rest, __provider };
    expect(await provider.read(id, stored)).toEqual({ id, props: rest });
    expect(await provider.diff(id, stored, news)).toMatchObject({ changes: false });

    nextRun();
    organization.change(ada, { roles: ["ORG_OWNER"] });
    expect(await provider.read(id, stored)).toMatchObject({ inputs: { ...inputs, roles: ["ORG_OWNER"] } });
  });

  test("goes on by the inputs that a refresh brings where what is declared is stored", async () => {
    const { id, outs } = await provider.create({ ...news, ...nothing });
    expect(await provider.read(id, { ...outs, __provider })).toEqual({
      id,
      props: outs,
      inputs: { ...inputs, ...nothing },
    });
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
      expect.stringMatching(
        /^ada@example.com was already invited to .* Destroying this resource cancels the invitation that owner@example.com sent\.$/,
      ),
    ]);
  });

  test("stores an invitation that was sent but not completed, as the host demands it", async () => {
    atlas.settings.ignoresOnCreate = ["teamIds"];
    atlas.fail({ method: "PATCH", status: 501, body: "" });
    const error = await provider.create({ ...news, teamIds: [team] }).catch((error: unknown) => error);
    const { invitationId } = organization.find(ada) ?? {};
    expect(error).toMatchObject({
      id: invitationId,
      properties: {
        ...inputs,
        invitationId,
        status: "PENDING",
        teamIds: [],
        __declared: { teamIds: [team] },
        __provider,
      },
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
      /^The state of this resource cannot be used, so nothing was sent\. roles: /,
    );
  });

  test.each(
    ["orgId", "invitationId", "userId"].flatMap((name) =>
      ["..", "", `${orgId}/../x`].map((id) => [name, id] as const),
    ),
  )("sends nothing for a state whose %s is %j", async (name, id) => {
    organization.addMember(ada);
    const state = { ...stored010, status: "ACCEPTED", onAccepted: "manage", [name]: id };
    const operations = [
      provider.read("id", state),
      provider.update("id", state, { ...news, onAccepted: "manage", roles: ["ORG_OWNER"] }),
      provider.delete("id", state),
      ...(name === "orgId" ? [provider.create(state)] : []),
    ];
    for (const outcome of await Promise.allSettled(operations)) {
      expect(outcome).toMatchObject({
        reason: { message: expect.stringContaining(`${name}: is not one of`) },
      });
    }
    expect(atlas.requests).toEqual([]);
    expect(organization.users).toHaveLength(1);
  });
});

describe("the resources of a run", () => {
  test("an update stores which resource it is, where 0.1.0 stored nothing of it, or an alias gave it another URN", async () => {
    const { id, outs } = await created("ada");
    const { __declaredBy: first, ...by010 } = outs;
    for (const stored of [outs, by010]) {
      nextRun();
      const checked = await provider.check(inputs, {
        ...news,
        reinviteExpired: true,
        __resource: urn("ada-l"),
      });
      const { outs: updated = {} } = await provider.update(id, stored, { ...checked.inputs, __provider });
      expect(updated.__declaredBy).toMatch(/^[\w-]{12}$/);
      expect(updated.__declaredBy).not.toBe(first);
    }
  });

  let lines: unknown[];

  beforeEach(() => {
    lines = [];
    vi.spyOn(console, "log").mockImplementation((line) => void lines.push(line));
  });

  const handedOver = `${ada} in ${orgId} is declared by another resource now: nothing was sent for the one that is deleted.`;

  test("hand over a person whose resource is renamed", async () => {
    const old = await created("ada");
    nextRun();
    await created("ada-l");
    const before = organization.users;
    await provider.delete(old.id, old.outs);
    expect(organization.users).toEqual(before);
    expect(lines.at(-1)).toBe(handedOver);
  });

  test("hand over a person in the run after one that ended between create and delete", async () => {
    const old = await created("ada");
    nextRun();
    const renamed = await created("ada-l");
    const before = organization.users;
    nextRun();
    await kept("ada-l", renamed);
    await provider.delete(old.id, old.outs);
    expect(organization.users).toEqual(before);
    expect(lines.at(-1)).toBe(handedOver);
    nextRun();
    await provider.delete(renamed.id, renamed.outs);
    expect(organization.users).toEqual([]);
  });

  test("send one new invitation where the replacement of a resource is forced", async () => {
    const old = await created("ada");
    expect(old.outs.__declaredBy).toMatch(/^[\w-]{12}$/);
    nextRun();
    const replaced = await created("ada");
    await provider.delete(old.id, old.outs);
    expect(atlas.mails).toHaveLength(2);
    expect(organization.users).toMatchObject([{ status: "PENDING" }]);
    expect(organization.find(ada)?.invitationId).not.toBe(old.id);
    expect(await provider.read(replaced.id, replaced.outs)).toMatchObject({
      id: organization.find(ada)?.invitationId,
      props: { __declaredBy: old.outs.__declaredBy },
    });
  });

  test("renew the invitation of a replaced resource in a later run, also of one that 0.1.0 stored", async () => {
    const old = await created("ada");
    nextRun();
    const { __declaredBy: _, ...outs } = (await created("ada")).outs;
    nextRun();
    await kept("ada", { ...old, outs });
    await provider.delete(old.id, old.outs);
    expect(atlas.mails).toHaveLength(2);
    expect(organization.users).toHaveLength(1);
  });

  test("hold nobody who is only refreshed, whose replacement begins, or whom a preview does not know", async () => {
    const old = await created("ada");
    const later: Record<string, () => Promise<unknown>> = {
      refreshed: () => provider.diff(old.id, old.outs, old.inputs),
      replaced: async () => {
        await kept("ada", old);
        await provider.check({}, old.inputs);
      },
      unknown: () => kept("ada", { ...old, inputs: { ...old.inputs, roles: UNKNOWN } }),
    };
    for (const run of Object.values(later)) {
      if (!organization.find(ada)) await created("ada");
      const { invitationId } = organization.find(ada) ?? {};
      nextRun();
      await run();
      await provider.delete(old.id, { ...old.outs, invitationId });
      expect(organization.users).toEqual([]);
    }
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

describe("the end of the process", () => {
  /** Resolves when the process would end. */
  const exit = () => new Promise((resolve) => vi.spyOn(process, "exit").mockImplementation(resolve as never));

  function useServiceAccount(): void {
    const { clientId, clientSecret } = atlas.addServiceAccount({ organization });
    vi.stubEnv("MONGODB_ATLAS_CLIENT_ID", clientId);
    vi.stubEnv("MONGODB_ATLAS_CLIENT_SECRET", clientSecret);
  }

  test.each(SIGNALS)(
    "by %s gives back the token of a service account, and sends nothing more",
    async (signal) => {
      useServiceAccount();
      await provider.create(news);
      const [end, ...others] = endings(signal);
      expect(others).toEqual([]);
      expect(atlas.tokens).toMatchObject([{ revoked: false }]);

      const ended = exit();
      end?.(signal);
      await ended;
      expect(atlas.tokens).toMatchObject([{ revoked: true }]);
      await expect(provider.create({ ...news, username: "grace@example.com" })).rejects.toThrow(
        "The run was cancelled before",
      );
      expect(atlas.mails).toHaveLength(1);
    },
  );

  test("does not wait for a token that is not given back", async () => {
    useServiceAccount();
    await provider.create(news);
    const { promise, resolve } = deferred();
    atlas.fail({ path: /oauth\/revoke/, authenticated: "either", until: promise });
    const sleep = vi.spyOn(systemClock, "sleep").mockResolvedValue(undefined);
    const ended = exit();
    endings("SIGINT")[0]?.("SIGINT");
    await ended;
    expect(sleep).toHaveBeenCalledWith(3_000);
    expect(atlas.tokens).toMatchObject([{ revoked: false }]);
    resolve();
  });

  test("sends nothing more where there is no token, either", async () => {
    await provider.create(news);
    const ended = exit();
    endings("SIGTERM")[0]?.("SIGTERM");
    await ended;
    await expect(provider.create({ ...news, username: "grace@example.com" })).rejects.toThrow("cancelled");
    expect(atlas.mails).toHaveLength(1);
  });

  test("is not awaited where Pulumi cancels the run: nothing more is sent, until the next run", async () => {
    const server = createServer((_request, response) => response.end());
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    nextRun();
    const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const cancel = session.request({ ":method": "POST", ":path": "/pulumirpc.ResourceProvider/Cancel" });
    await once(cancel.resume().end(), "end");
    session.close();
    await new Promise((resolve) => server.close(resolve));

    await expect(provider.create(news)).rejects.toThrow("The run was cancelled before");
    expect(atlas.requests).toEqual([]);
    nextRun();
    await provider.create(news);
    expect(atlas.mails).toHaveLength(1);
  });
});

/** What an operation is rejected with. */
async function failure(operation: Promise<unknown>): Promise<Error> {
  return operation.then(
    () => new Error("It was not rejected."),
    (error: Error) => error,
  );
}

describe("errors", () => {
  test("are one message for the engine and one short line for stderr", async () => {
    organization.addMember(ada);
    const error = await failure(provider.create(news));
    expect(error.message).toMatch(/^ada@example.com is already a member of/);
    expect(`${error}: ${error.stack}`).toBe("OrgInvitation create: see its error");
  });

  test("of an invitation name the person and the organization, whatever Atlas says", async () => {
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

  test.each([
    ["create", true],
    ["read", false],
  ] as const)(
    "that nobody foresaw in the request for a token keep their stack in %s",
    async (operation, isPrinted) => {
      const { clientId, clientSecret } = atlas.addServiceAccount({ organization });
      vi.stubEnv("MONGODB_ATLAS_CLIENT_ID", clientId);
      vi.stubEnv("MONGODB_ATLAS_CLIENT_SECRET", clientSecret);
      const print = vi.spyOn(console, "error").mockImplementation(() => undefined);
      const bug = new TypeError("a bug");
      vi.spyOn(Transport.prototype, "send").mockRejectedValue(bug);
      const run = operation === "create" ? provider.create(news) : provider.read("id", stored010);
      expect(await failure(run)).toBe(bug);
      // The host prints the stack of the other operations.
      expect(print.mock.calls).toEqual(
        isPrinted ? [[expect.stringMatching(/^TypeError: a bug\n +at /)]] : [],
      );
    },
  );

  test("that nobody foresaw when an invitation is completed are printed, and the invitation is stored", async () => {
    atlas.settings.ignoresOnCreate = ["teamIds"];
    const print = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const { send: exchange } = Transport.prototype;
    vi.spyOn(Transport.prototype, "send").mockImplementation(function (this: Transport, message) {
      if (message.method === "PATCH") throw new TypeError("a bug");
      return exchange.call(this, message);
    });
    const error = await failure(provider.create({ ...news, teamIds: [team] }));
    const { invitationId } = organization.find(ada) ?? {};
    expect(error).toMatchObject({ id: invitationId, properties: { invitationId, __provider } });
    expect(error.message).toMatch(/^ada@example.com was invited to .* a bug\./);
    expect(print.mock.calls).toEqual([[expect.stringMatching(/^TypeError: a bug\n +at /)]]);
  });

  test("that nobody foresaw keep their stack, and are errors whatever was thrown", async () => {
    provider.configure({
      config: {
        get: () => {
          throw "a string";
        },
      } as never,
    });
    const error = await failure(provider.delete("id", news));
    expect(error).toBeInstanceOf(Error);
    expect(error.message).toBe("a string");
    expect(error.stack).toContain("org-invitation-provider");
  });
});
