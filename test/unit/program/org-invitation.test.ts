import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { afterEach, expect, test, vi } from "vitest";
import { OrgInvitation, type OrgInvitationArgs } from "../../../provider/program/org-invitation.ts";
import { AtlasConfigError } from "../../../provider/settings/atlas-config-error.ts";
import { assertNodeVersion } from "../../../provider/settings/node-version.ts";

vi.mock(import("../../../provider/settings/node-version.ts"), async (original) => ({
  assertNodeVersion: vi.fn((await original()).assertNodeVersion),
}));

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

const orgId = "32b6e34b3d91647abb20e7b8";
const project = "5f0000000000000000000002";
const ada: OrgInvitationArgs = { orgId, username: "ada@example.com", roles: ["ORG_MEMBER"] };

/** What Atlas and the lifecycle add, as the engine hands it back. */
const outputs = {
  invitationId: "6a793f89c0eb9e7a177165b6",
  userId: "6a793f89c0eb9e7a177165b7",
  status: "PENDING",
  createdAt: "2026-08-10T03:03:37Z",
  expiresAt: "2026-09-09T03:03:37Z",
  inviterUsername: "nmtxqlkl",
  orgName: "Example",
};

/**
 * A program as Pulumi's own tests run it; returns what is registered from now on. With `engine` the SDK takes it
 * for a program that an engine runs: mocks leave the engine's address as it is, and nobody has to listen there.
 */
function startProgram({ preview = false, engine = false } = {}): pulumi.runtime.MockResourceArgs[] {
  pulumi.runtime.resetOptions("project", "stack", -1, engine ? "127.0.0.1:1" : "", "", preview, "");
  const registered: pulumi.runtime.MockResourceArgs[] = [];
  const mocks: pulumi.runtime.Mocks = {
    call: () => ({}),
    newResource: (resource) => {
      registered.push(resource);
      const state = preview ? resource.inputs : { ...resource.inputs, ...outputs };
      return { id: preview ? "" : `id of ${resource.name}`, state };
    },
  };
  void pulumi.runtime.setMocks(mocks, "project", "stack", preview);
  return registered;
}

/** The value of an output, once the resource is registered. */
function resolved<Value>(output: pulumi.Output<Value>): Promise<unknown> {
  return new Promise((resolve) => {
    output.apply(resolve);
  });
}

/** Resolves when all of them are registered, in a preview too, where no callback of an output is called. */
async function registration(...resources: pulumi.Resource[]): Promise<void> {
  await Promise.all(resources.map(({ urn }) => (urn as unknown as { promise(): Promise<string> }).promise()));
}

/** The error of a program that breaks off because nobody handles it, as a program under Pulumi does. */
async function errorOf(program: () => void): Promise<Error> {
  const listeners = process.listeners("unhandledRejection");
  const errors = new Set<Error>();
  process.removeAllListeners("unhandledRejection");
  process.on("unhandledRejection", (error) => errors.add(error as Error));
  program();
  while (errors.size === 0) await new Promise(setImmediate);
  process.removeAllListeners("unhandledRejection");
  for (const listener of listeners) process.on("unhandledRejection", listener);
  expect(errors.size).toBe(1);
  return [...errors][0] as Error;
}

// This one comes first: what sets mocks is never without a connection again.
test("without a connection to the engine, a person is declared only once as well", async () => {
  const resource = new OrgInvitation("ada", ada);
  await registration(resource);

  expect(() => new OrgInvitation("lovelace", ada)).toThrow("declared twice");
});

test("a resource of the dynamic type is registered under its name", async () => {
  const registered = startProgram();

  await registration(new OrgInvitation("ada", ada));

  expect(registered).toMatchObject([
    { type: "pulumi-nodejs:dynamic/mongodbatlas:OrgInvitation", name: "ada", custom: true },
  ]);
});

test("exactly the declared inputs are registered, and the provider", async () => {
  const registered = startProgram();
  const all = {
    ...ada,
    teamIds: ["5f0000000000000000000001"],
    groupRoleAssignments: [{ groupId: project, roles: ["GROUP_OWNER"] }],
    onAccepted: "manage" as const,
    reinviteExpired: true,
  };

  await registration(
    new OrgInvitation("ada", all),
    new OrgInvitation("bob", { ...ada, username: "bob@example.com" }),
  );

  const inputs = Object.fromEntries(
    registered.map(({ name, inputs: { __provider, ...inputs } }) => [name, inputs]),
  );
  expect(inputs).toEqual({ ada: all, bob: { ...ada, username: "bob@example.com" } });
});

// Every state file holds this text and runs it, in any version that comes after.
test("the provider is the constant text that every state file holds", async () => {
  const registered = startProgram();

  await registration(
    new OrgInvitation("ada", ada),
    new OrgInvitation("bob", { ...ada, username: "bob@example.com", onAccepted: "manage" }),
  );

  const texts = registered.map(({ inputs }) => inputs.__provider);
  expect(new Set(texts)).toEqual(
    new Set([
      'exports.handler=()=>require("module").createRequire(process.cwd()+"/_")("pulumi-atlas-invitations/provider")',
    ]),
  );
  expect(Buffer.byteLength(texts[0])).toBeLessThan(150);
});

test("inputs and outputs are outputs of the resource", async () => {
  startProgram();
  const resource = new OrgInvitation("ada", { ...ada, onAccepted: "retain" });

  expect(await resolved(resource.id)).toBe("id of ada");
  const expected = { ...ada, onAccepted: "retain", ...outputs };
  for (const [name, value] of Object.entries(expected)) {
    const output = resource[name as keyof OrgInvitation] as pulumi.Output<unknown>;
    expect(await resolved(output), name).toEqual(value);
  }
});

// pulumi#6587
test("every output has its place, also what Atlas has not told yet", () => {
  startProgram();
  const resource = new OrgInvitation("ada", ada);

  const names = [...Object.keys(outputs), "teamIds", "groupRoleAssignments", "onAccepted", "reinviteExpired"];
  for (const name of [...names, "orgId", "username", "roles"]) {
    expect(pulumi.Output.isInstance(resource[name as keyof OrgInvitation]), name).toBe(true);
  }
});

test("one object of arguments serves for several resources, and stays as it is", async () => {
  const registered = startProgram();
  const shared = Object.freeze({ ...ada });

  await registration(
    new OrgInvitation("here", shared),
    new OrgInvitation("there", Object.freeze({ ...shared, orgId: project })),
  );
  expect(() => new OrgInvitation("again", shared)).toThrow("declared twice");

  expect(registered.map(({ name }) => name)).toEqual(["here", "there"]);
  expect(shared).toEqual(ada);
});

test("what is no argument goes along, so that the check can name it", async () => {
  const registered = startProgram();

  await registration(new OrgInvitation("ada", { ...ada, teamsIds: [project] } as OrgInvitationArgs));

  expect(registered[0]?.inputs.teamsIds).toEqual([project]);
});

test("nobody writes outputs or the provider by giving them as arguments", async () => {
  const registered = startProgram();
  const given = { ...ada, __provider: "exports.handler=()=>evil()", status: "ACCEPTED", userId: project };

  await registration(new OrgInvitation("ada", given as OrgInvitationArgs));

  const { __provider, ...inputs } = registered[0]?.inputs ?? {};
  expect(inputs).toEqual(ada);
  expect(__provider).toContain("pulumi-atlas-invitations/provider");
});

test("resource options are passed on", async () => {
  startProgram();
  const parent = new pulumi.ComponentResource("example:index:Team", "team");
  const resource = new OrgInvitation("ada", ada, { parent });

  expect(await resolved(resource.urn)).toBe(
    "urn:pulumi:stack::project::example:index:Team$pulumi-nodejs:dynamic/mongodbatlas:OrgInvitation::ada",
  );
});

test("a secret address stays a secret, and what is not secret does not become one", async () => {
  const registered = startProgram();
  const username = pulumi.secret("ada@example.com");
  const resource = new OrgInvitation("ada", { ...ada, username });

  await registration(resource);

  expect(await pulumi.isSecret(resource.username)).toBe(true);
  expect(await pulumi.isSecret(resource.orgId)).toBe(false);
  expect(await pulumi.isSecret(resource.roles)).toBe(false);
  const { __provider, ...inputs } = registered[0]?.inputs ?? {};
  // Pulumi's mark of a secret, on the wire.
  expect(inputs).toEqual({
    ...ada,
    username: {
      "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
      value: "ada@example.com",
    },
  });
});

// The engine makes an output secret where the input of its name is secret (annotateSecrets in provider_plugin.go).
test.each(["orgId", "username"] as const)("the status is not secret when %s is", async (name) => {
  for (const engine of [false, true]) {
    const registered = startProgram({ engine });
    const resource = new OrgInvitation("ada", { ...ada, [name]: pulumi.secret(ada[name]) });

    await registration(resource);

    expect(registered[0]?.inputs).not.toHaveProperty("status");
    expect(await pulumi.isSecret(resource.status)).toBe(false);
  }
});

test("the engine is told which resource it is, so that the plugin can tell one resource from another", async () => {
  for (const args of [ada, { ...ada, username: pulumi.secret("ada@example.com") }]) {
    const registered = startProgram({ engine: true });
    const parent = new pulumi.ComponentResource("example:index:Team", "team");
    const resources = [
      new OrgInvitation("ada", args),
      new OrgInvitation("there", { ...args, orgId: project }, { parent }),
    ];

    await registration(...resources);

    const urns = await Promise.all(resources.map(({ urn }) => resolved(urn)));
    expect(registered.filter(({ custom }) => custom).map(({ inputs }) => inputs.__resource)).toEqual(urns);
    expect(urns[1]).toContain("$pulumi-nodejs:dynamic/mongodbatlas:OrgInvitation::there");
  }
});

// A component as a dependency stands for its children, which would then wait for one another.
test("resources of one component do not wait for one another", async () => {
  const registered = startProgram({ engine: true });
  const parent = new pulumi.ComponentResource("example:index:Team", "team");
  const orgIds = [orgId, project].map((id) => pulumi.output(Promise.resolve(id)));

  await registration(
    ...orgIds.map((orgId, index) => new OrgInvitation(`ada-${index}`, { ...ada, orgId }, { parent })),
  );

  expect(registered).toHaveLength(3);
});

test("two resources for one person are an error that names both, before anything is registered", async () => {
  const registered = startProgram();
  const first = new OrgInvitation("ada", ada);
  const second = () =>
    new OrgInvitation("lovelace", { orgId: orgId.toUpperCase(), username: "ADA@Example.com", roles: [] });

  expect(second).toThrow(pulumi.RunError);
  expect(second).toThrow(
    `ada@example.com in ${orgId} is declared twice, by the resources "ada" and "lovelace". Remove one of them.`,
  );

  await registration(first);
  expect(registered.map(({ name }) => name)).toEqual(["ada"]);
});

test("two resources for one person who is known only later are the same error, and one line", async () => {
  const registered = startProgram();
  const error = await errorOf(() => {
    new OrgInvitation("ada", { ...ada, orgId: pulumi.output(orgId) });
    new OrgInvitation("lovelace", { ...ada, username: pulumi.output("ADA@example.com") });
  });

  const text = `ada@example.com in ${orgId} is declared twice, by the resources "ada" and "lovelace". Remove one of them.`;
  expect(error).toBeInstanceOf(pulumi.RunError);
  expect(error.message).toBe(text);
  expect(error.stack).toBe(text);
  expect(registered.map(({ name }) => name)).toEqual(["ada"]);
});

test("a person declared outright and again with a value known later is the same error", async () => {
  startProgram();
  const error = await errorOf(() => {
    new OrgInvitation("lovelace", { ...ada, username: Promise.resolve("ada@example.com") });
    new OrgInvitation("ada", ada);
  });

  expect(error.message).toContain('is declared twice, by the resources "ada" and "lovelace"');
});

test("the same person in two organizations, and two people in one, are no duplicates", async () => {
  const registered = startProgram();

  await registration(
    new OrgInvitation("ada", ada),
    new OrgInvitation("ada-there", { ...ada, orgId: project }),
    new OrgInvitation("bob", { ...ada, username: pulumi.output("bob@example.com") }),
  );

  expect(registered.map(({ name }) => name).sort()).toEqual(["ada", "ada-there", "bob"]);
});

test("two resources of one name for one person are an error that names their parents, too", async () => {
  for (const username of ["ada@example.com", pulumi.output("ada@example.com")]) {
    const registered = startProgram();
    const error = await errorOf(() => {
      for (const name of ["one", "other"]) {
        const parent = new pulumi.ComponentResource("example:index:Team", name);
        const team = new pulumi.ComponentResource(`example:index:${name}`, "team", {}, { parent });
        new OrgInvitation("ada", { ...ada, username }, { parent: team });
      }
    });

    const urn = (name: string) =>
      `urn:pulumi:stack::project::example:index:Team$example:index:${name}$pulumi-nodejs:dynamic/mongodbatlas:OrgInvitation::ada`;
    expect(error.message).toBe(
      `ada@example.com in ${orgId} is declared twice, by the resources "${urn("one")}" and "${urn("other")}". Remove one of them.`,
    );
    expect(registered.filter(({ custom }) => custom)).toHaveLength(1);
  }
});

// Tests of a program often set the mocks once for all of them. The engine itself refuses a second resource of one URN.
test("a resource that is declared again, as in another test of a program, is the same resource", async () => {
  const registered = startProgram();
  class Team extends pulumi.ComponentResource {
    readonly members: OrgInvitation[];

    constructor(name: string) {
      super("example:index:Team", name);
      this.members = [
        new OrgInvitation(`${name}-ada`, ada, { parent: this }),
        new OrgInvitation(
          `${name}-bob`,
          { ...ada, username: pulumi.output("bob@example.com") },
          { parent: this },
        ),
      ];
    }
  }

  for (const _ of [1, 2]) await registration(...new Team("team").members);

  expect(registered.map(({ name }) => name).sort()).toEqual([
    ...["team", "team"],
    ...["team-ada", "team-ada"],
    ...["team-bob", "team-bob"],
  ]);
  expect(() => new OrgInvitation("lovelace", ada)).toThrow(
    'is declared twice, by the resources "team-ada" and "lovelace"',
  );
});

test.each([undefined, null, "", "  ", 5, {}])(
  "two resources whose person or organization is %j are left to the check of arguments",
  async (value) => {
    for (const name of ["orgId", "username"]) {
      for (const given of [value, pulumi.output(value), Promise.resolve(value)]) {
        const registered = startProgram();
        const args = { ...ada, [name]: given } as OrgInvitationArgs;

        await registration(new OrgInvitation("one", args), new OrgInvitation("other", args));

        expect(registered).toHaveLength(2);
      }
    }
  },
);

test("each run of a program is checked by itself", async () => {
  for (const _ of [1, 2]) {
    const registered = startProgram();
    await registration(new OrgInvitation("ada", ada));
    expect(registered).toHaveLength(1);
  }
});

test("in a preview, a person who is not known yet is registered as unknown", async () => {
  const registered = startProgram({ preview: true });
  const unknown = pulumi.output(pulumi.unknown) as unknown as pulumi.Output<string>;
  const one = new OrgInvitation("one", { ...ada, username: unknown });
  const another = new OrgInvitation("another", { ...ada, username: unknown });
  const here = new OrgInvitation("here", { ...ada, orgId: unknown });

  await registration(one, another, here);

  const inputs = Object.fromEntries(registered.map(({ name, inputs }) => [name, inputs]));
  expect(Object.keys(inputs).sort()).toEqual(["another", "here", "one"]);
  expect(pulumi.isUnknown(inputs.one.username)).toBe(true);
  expect(inputs.one.orgId).toBe(orgId);
  expect(pulumi.isUnknown(inputs.here.orgId)).toBe(true);
  expect(inputs.here.username).toBe("ada@example.com");
});

test("a Node that is too old is told in one sentence, before anything is registered", () => {
  const registered = startProgram();
  vi.mocked(assertNodeVersion).mockImplementationOnce(() => {
    throw new AtlasConfigError("It needs another Node.");
  });

  const declare = () => new OrgInvitation("ada", ada);

  expect(declare).toThrow(pulumi.RunError);
  vi.mocked(assertNodeVersion).mockImplementationOnce(() => {
    throw new AtlasConfigError("It needs another Node.");
  });
  expect(declare).toThrow(/^It needs another Node\.$/);
  expect(registered).toEqual([]);
});

test("a package that Pulumi cannot load is told in one sentence, but only where Pulumi runs the program", () => {
  const folder = mkdtempSync(join(tmpdir(), "pulumi-atlas-program-"));
  vi.spyOn(process, "cwd").mockReturnValue(folder);
  startProgram();
  const declare = (name: string) => new OrgInvitation(name, { ...ada, username: `${name}@example.com` });

  expect(() => declare("ada")).not.toThrow();

  // Pulumi's language host sets it.
  vi.stubEnv("PULUMI_NODEJS_ENGINE", "127.0.0.1:1");
  expect(() => declare("bob")).toThrow(pulumi.RunError);
  expect(() => declare("eve")).toThrow(/^Pulumi loads pulumi-atlas-invitations from .*package\.json\.$/);
  rmSync(folder, { recursive: true });
});
