import { beforeEach, describe, expect, test, vi } from "vitest";
import { Transport } from "../../../provider/atlas/client/transport.ts";
import { systemClock } from "../../../provider/atlas/clock.ts";
import * as provider from "../../../provider/dynamic/org-invitation-provider.ts";
import { UNKNOWN } from "../../../provider/lifecycle/check-inputs.ts";
import { deferred } from "../../support/deferred.ts";
import { SimulatedAtlas } from "../../support/simulated-atlas/simulated-atlas.ts";
import {
  __provider,
  ada,
  CANCEL,
  callHost,
  declared,
  inputs,
  news,
  orgId,
  type Properties,
  team,
  useProvider,
} from "./provider-fixture.ts";

const grace = "grace@example.com";
const nothing = { teamIds: [], groupRoleAssignments: [] };
/** As 0.1.0 stored it: what was left out, as an empty list. */
const stored010 = { ...inputs, ...nothing, status: "PENDING", __provider };

const fixture = useProvider();

const urn = (name: string) =>
  `urn:pulumi:dev::people::pulumi-nodejs:dynamic/mongodbatlas:OrgInvitation::${name}`;

/** What the engine calls to create a resource. */
async function createResource(name: string) {
  const { inputs = {} } = await provider.check({}, { ...news, __resource: urn(name) });
  const { id, outs } = await provider.create({ ...inputs, __provider });
  return { id, outs: { ...outs, __provider } as Properties, inputs: { ...inputs, __provider } as Properties };
}

/** What the engine calls for a resource that stays unchanged. */
async function keepResource(name: string, { id, outs, inputs }: Awaited<ReturnType<typeof createResource>>) {
  const checked = await provider.check(inputs, { ...inputs, __resource: urn(name) });
  return provider.diff(id, outs, { ...checked.inputs, __provider });
}

/** Adds a service account, and configures it. */
function useServiceAccount(): void {
  const { clientId, clientSecret } = fixture.atlas.addServiceAccount(fixture);
  vi.stubEnv("MONGODB_ATLAS_CLIENT_ID", clientId);
  vi.stubEnv("MONGODB_ATLAS_CLIENT_SECRET", clientSecret);
}

// The rules of check and diff are tested in lifecycle/.
describe("check", () => {
  test("normalises the inputs, and reports failures at their property path", async () => {
    const engine = { __provider, __resource: urn("ada") };
    const given = { ...declared, username: "Ada@Example.com", ...nothing, ...engine };
    expect(await provider.check({}, given)).toEqual({ inputs: { ...inputs, ...nothing }, failures: [] });
    expect(await provider.check(undefined, news)).toEqual({ inputs, failures: [] });
    const { failures } = await provider.check(undefined, { ...news, roles: [], orgId: "no" });
    expect(failures?.map(({ property }) => property)).toEqual(["orgId", "roles"]);
  });

  test("keeps the terminal status of the old inputs, and accepts a stored value that ignoreChanges passes", async () => {
    const olds = { ...inputs, roles: ["GROUP_OWNER"], status: "EXPIRED", expiresAt: "2026-09-09T03:03:37Z" };
    const checked = await provider.check(olds, { ...news, roles: olds.roles, status: UNKNOWN });
    expect(checked).toEqual({ inputs: olds, failures: [] });
  });
});

test("diff returns what a change of the inputs means", async () => {
  const replaced = { replaces: ["username"], deleteBeforeReplace: false };
  expect(await provider.diff("id", stored010, { ...news, username: grace })).toEqual(replaced);
});

describe("a resource", () => {
  test("is created, read, updated and deleted", async () => {
    const { organization, settings } = fixture;
    const { id, outs } = await provider.create(news);
    const invitation = organization.find(ada);
    expect(id).toBe(invitation?.invitationId);
    expect(outs).toStrictEqual({
      ...inputs,
      ...nothing,
      status: "PENDING",
      invitationId: id,
      createdAt: invitation?.createdAt,
      expiresAt: invitation?.expiresAt,
      inviterUsername: settings["mongodbatlas:publicKey"],
      orgName: "Example",
    });

    organization.change(ada, { roles: ["ORG_OWNER"], teamIds: [team] });
    const read = await provider.read(id, { ...outs, __provider });
    expect(read).toStrictEqual({
      id,
      props: { ...outs, roles: ["ORG_OWNER"], teamIds: [team], __declared: { teamIds: null } },
      inputs: { ...inputs, roles: ["ORG_OWNER"] },
    });

    const changed = { ...news, roles: ["ORG_READ_ONLY"], teamIds: [] };
    const { outs: updated } = await provider.update(id, { ...read.props, __provider }, changed);
    expect(updated).toStrictEqual({ ...outs, roles: ["ORG_READ_ONLY"], __declared: { teamIds: [] } });
    expect(organization.find(ada)).toMatchObject({ roles: ["ORG_READ_ONLY"], teamIds: [] });

    await provider.delete(id, { ...updated, __provider });
    expect(organization.users).toEqual([]);
    expect(await provider.read(id, { ...updated, __provider })).toEqual({});
  });

  test.each(["ACCEPTED", "EXPIRED"])(
    "has the status %s among its inputs, which the next check keeps",
    async (status) => {
      const { organization } = fixture;
      const { id, outs } = await provider.create(news);
      if (status === "EXPIRED") organization.expire(ada);
      else organization.accept(ada);
      const read = await provider.read(id, { ...outs, __provider });
      const { userId } = organization.find(ada) ?? {};
      expect(read).toMatchObject({ id, props: { status, userId } });
      const expiry = status === "EXPIRED" && { expiresAt: read.props?.expiresAt };
      expect(read.inputs).toEqual({ ...inputs, status, ...expiry });
      expect(await provider.check(read.inputs, news)).toEqual({ inputs: read.inputs, failures: [] });
    },
  );

  test("keeps the inputs that 0.1.0 stored where a refresh finds no change", async () => {
    const { id, outs } = await provider.create(news);
    const { __declared: _, ...rest } = { ...outs, ...nothing } as Properties;
    const stored = { ...rest, __provider };
    expect(await provider.read(id, stored)).toEqual({ id, props: rest });
    expect(await provider.diff(id, stored, news)).toMatchObject({ changes: false });

    fixture.nextRun();
    fixture.organization.change(ada, { roles: ["ORG_OWNER"] });
    expect(await provider.read(id, stored)).toMatchObject({ inputs: { ...inputs, roles: ["ORG_OWNER"] } });
  });

  test("takes the inputs of a refresh where the state says what is declared", async () => {
    const { id, outs } = await provider.create({ ...news, ...nothing });
    const read = await provider.read(id, { ...outs, __provider });
    expect(read).toEqual({ id, props: outs, inputs: { ...inputs, ...nothing } });
  });

  test("has the id of the user where Atlas gave no id of an invitation", async () => {
    const { userId } = fixture.organization.addMember(ada);
    const { id, outs } = await provider.create({ ...news, onAccepted: "retain" });
    expect(id).toBe(userId);
    expect(await provider.read(id, { ...outs, __provider })).toMatchObject({ id: userId });
  });

  test("takes the id of an invitation that was sent again in Atlas", async () => {
    const { id, outs } = await provider.create(news);
    fixture.organization.cancel(ada);
    const { invitationId } = fixture.organization.invite(ada);
    const read = await provider.read(id, { ...outs, __provider });
    expect(read).toMatchObject({ id: invitationId, props: { invitationId } });
  });

  test.each(["orgId", "invitationId", "userId"])(
    "sends nothing where %s of the state is no id",
    async (name) => {
      const managed = { ...news, ...nothing, onAccepted: "manage", [name]: `${orgId}/../x` };
      const operations = [
        provider.read("id", managed),
        provider.update("id", managed, { ...news, onAccepted: "manage", roles: ["ORG_OWNER"] }),
        provider.delete("id", managed),
        ...(name === "orgId" ? [provider.create(managed)] : []),
      ];
      for (const error of await Promise.all(operations.map(failureOf))) {
        expect(error).toMatchObject({ cause: { kind: "invalidState" } });
        expect(error.message).toContain(name);
      }
      expect(fixture.atlas.requests).toEqual([]);
    },
  );
});

describe("the resources of a run", () => {
  test("store which resource they are, also for a state of 0.1.0 and after an alias", async () => {
    const { id, outs } = await createResource("ada");
    const { __declaredBy: first, ...by010 } = outs;
    for (const stored of [outs, by010]) {
      fixture.nextRun();
      const changed = { ...news, reinviteExpired: true, __resource: urn("ada-l") };
      const checked = await provider.check(inputs, changed);
      const { outs: updated = {} } = await provider.update(id, stored, { ...checked.inputs, __provider });
      expect(updated.__declaredBy).toMatch(/^[\w-]{12}$/);
      expect(updated.__declaredBy).not.toBe(first);
    }
    fixture.nextRun();
    const { outs: unknown = {} } = await provider.update(id, outs, news);
    expect(unknown.__declaredBy).toBe(first);
  });

  test("renew the invitation of a replaced resource in a later run, also of one that 0.1.0 stored", async () => {
    const old = await createResource("ada");
    fixture.nextRun();
    const { __declaredBy: _, ...outs } = (await createResource("ada")).outs;
    fixture.nextRun();
    await keepResource("ada", { ...old, outs });
    await provider.delete(old.id, old.outs);
    expect(fixture.atlas.mails).toHaveLength(2);
    expect(fixture.organization.users).toHaveLength(1);
  });

  type Resource = Awaited<ReturnType<typeof createResource>>;
  test.each<[what: string, run: (old: Resource) => Promise<unknown>]>([
    ["it is only refreshed", ({ id, outs, inputs }) => provider.diff(id, outs, inputs)],
    [
      "it was checked in an earlier run",
      async ({ id, outs, inputs }) => {
        await provider.check(inputs, { ...inputs, __resource: urn("ada") });
        fixture.nextRun();
        await provider.diff(id, outs, inputs);
      },
    ],
    [
      "its replacement begins",
      async (old) => {
        await keepResource("ada", old);
        await provider.check({}, old.inputs);
      },
    ],
    [
      "a preview does not know its inputs yet",
      (old) => keepResource("ada", { ...old, inputs: { ...old.inputs, roles: UNKNOWN } }),
    ],
  ])("do not keep the person of a resource, where %s", async (_, run) => {
    const old = await createResource("ada");
    fixture.nextRun();
    await run(old);
    await provider.delete(old.id, old.outs);
    expect(fixture.organization.users).toEqual([]);
  });
});

describe("settings", () => {
  test("are read again by every operation", async () => {
    await provider.create(news);
    await using other = await SimulatedAtlas.start();
    const key = other.addApiKey({ organization: other.addOrganization({ id: orgId }) });
    vi.stubEnv("MONGODB_ATLAS_BASE_URL", other.url);
    vi.stubEnv("MONGODB_ATLAS_PUBLIC_KEY", key.publicKey);
    vi.stubEnv("MONGODB_ATLAS_PRIVATE_KEY", key.privateKey);
    await provider.create(news);
    expect(other.mails).toHaveLength(1);
    expect(fixture.atlas.mails).toHaveLength(1);
  });

  test("keep one connection as long as they stay the same", async () => {
    const { id, outs } = await provider.create(news);
    await provider.delete(id, { ...outs, __provider });
    expect(fixture.atlas.requests.filter(({ challenge }) => challenge)).toHaveLength(1);
  });
});

describe("the end of the process", () => {
  /** Resolves when the process would end. */
  const exited = () =>
    new Promise((resolve) => vi.spyOn(process, "exit").mockImplementation(resolve as never));
  const expectCancelled = (operation: Promise<unknown>) =>
    expect(operation).rejects.toThrow(/run was cancelled/i);

  test.each([
    ["SIGINT", "a service account"],
    ["SIGTERM", "a service account"],
    ["SIGTERM", "an API key"],
  ] as const)("by %s revokes the token of %s, and sends nothing more", async (signal, credentials) => {
    const { atlas, exitListeners } = fixture;
    if (credentials === "a service account") useServiceAccount();
    await provider.create(news);
    vi.mocked(systemClock.sleep).mockReturnValue(new Promise(() => {}));
    const [end, ...others] = exitListeners(signal);
    expect(others).toEqual([]);

    const ended = exited();
    end?.(signal);
    await ended;
    expect(atlas.tokens.map(({ revoked }) => revoked)).toEqual(credentials === "an API key" ? [] : [true]);
    await expectCancelled(provider.create({ ...news, username: grace }));
    expect(atlas.mails).toHaveLength(1);
  });

  test("waits for the revocation of a token 3 s at most", async () => {
    useServiceAccount();
    await provider.create(news);
    const { promise: until, resolve: answer } = deferred();
    fixture.atlas.fail({ path: /oauth\/revoke/, authenticated: "either", until });
    const ended = exited();
    fixture.exitListeners("SIGINT")[0]?.("SIGINT");
    await ended;
    expect(systemClock.sleep).toHaveBeenCalledWith(3_000);
    expect(fixture.atlas.tokens).toMatchObject([{ revoked: false }]);
    answer();
  });

  test("is preceded by Pulumi's cancellation: nothing more is sent until the next run", async () => {
    await callHost(CANCEL, fixture.nextRun);
    await expectCancelled(provider.create(news));
    expect(fixture.atlas.requests).toEqual([]);
    fixture.nextRun();
    await provider.create(news);
    expect(fixture.atlas.mails).toHaveLength(1);
  });
});

/** The error with which an operation fails. */
async function failureOf(operation: Promise<unknown>): Promise<Error> {
  return operation.then(
    () => new Error("(no error)"),
    (error: Error) => error,
  );
}

describe("an error", () => {
  const bugWithStack = [[expect.stringMatching(/^TypeError: a bug\n +at /)]];
  let stderr: ReturnType<typeof vi.spyOn>;

  beforeEach(() => {
    stderr = vi.spyOn(console, "error").mockImplementation(() => undefined);
  });

  test.each([
    ["create", () => provider.create(news), bugWithStack],
    ["update", () => provider.update("id", stored010, { ...news, roles: ["ORG_OWNER"] }), bugWithStack],
    // The host prints the stack of the other operations.
    ["read", () => provider.read("id", stored010), []],
  ] as const)("that is a bug in the request for a token keeps its stack in %s", async (_, run, printed) => {
    useServiceAccount();
    const bug = new TypeError("a bug");
    vi.spyOn(Transport.prototype, "send").mockRejectedValue(bug);
    expect(await failureOf(run())).toBe(bug);
    expect(stderr.mock.calls).toEqual(printed);
  });

  test("that is a bug while an invitation is completed is printed, and the invitation is stored", async () => {
    fixture.atlas.settings.ignoresOnCreate = ["teamIds"];
    const { send } = Transport.prototype;
    vi.spyOn(Transport.prototype, "send").mockImplementation(function (this: Transport, request) {
      if (request.method === "PATCH") throw new TypeError("a bug");
      return send.call(this, request);
    });
    const error = await failureOf(provider.create({ ...news, teamIds: [team] }));
    const { invitationId } = fixture.organization.find(ada) ?? {};
    const properties = { ...inputs, invitationId, teamIds: [], __declared: { teamIds: [team] }, __provider };
    expect(error).toMatchObject({ id: invitationId, properties, reasons: [error.message] });
    expect(`${error}: ${error.stack}`).toBe(
      "OrgInvitation create failed: the error is shown with the resource",
    );
    expect(error.message).toMatch(/^ada@example\.com was invited .* a bug\./);
    expect(stderr.mock.calls).toEqual(bugWithStack);
  });

  test("is an error with a stack, whatever was thrown", async () => {
    const get = () => {
      throw "a string";
    };
    provider.configure({ config: { get } as never });
    const error = await failureOf(provider.delete("id", news));
    expect(error).toMatchObject({ message: "a string" });
    expect(error.stack).toContain("org-invitation-provider");
  });
});
