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

/** The outputs that the engine adds. */
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
 * A program with Pulumi's mocks; returns the resources that are registered from now on. With `engine`, the SDK runs as
 * under an engine: mocks keep the engine's address, and nothing has to listen there.
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

/** Resolves when all are registered, also in a preview, in which no callback of an output is called. */
async function registration(...resources: pulumi.Resource[]): Promise<void> {
  await Promise.all(resources.map(({ urn }) => (urn as unknown as { promise(): Promise<string> }).promise()));
}

/** The resources of people, by name, without the text of the provider. */
const inputsOf = (registered: pulumi.runtime.MockResourceArgs[]) =>
  Object.fromEntries(registered.map(({ name, inputs: { __provider, ...inputs } }) => [name, inputs]));

/** The error that ends a program: thrown, or unhandled. */
async function errorOf(program: () => void): Promise<Error> {
  const listeners = process.listeners("unhandledRejection");
  const errors = new Set<Error>();
  process.removeAllListeners("unhandledRejection");
  process.on("unhandledRejection", (error) => errors.add(error as Error));
  try {
    program();
  } catch (error) {
    errors.add(error as Error);
  }
  while (errors.size === 0) await new Promise(setImmediate);
  process.removeAllListeners("unhandledRejection");
  for (const listener of listeners) process.on("unhandledRejection", listener);
  expect(errors.size).toBe(1);
  return [...errors][0] as Error;
}

// The first test: after one that sets mocks there is always a connection.
test("a person may be declared only once, also without a connection to the engine", async () => {
  const resource = new OrgInvitation("ada", ada);
  await registration(resource);

  expect(() => new OrgInvitation("lovelace", ada)).toThrow("declared twice");
});

test("registers exactly the declared inputs and the provider, as a dynamic resource", async () => {
  const registered = startProgram();
  const all = {
    ...ada,
    teamIds: ["5f0000000000000000000001"],
    groupRoleAssignments: [{ groupId: project, roles: ["GROUP_OWNER"] }],
    onAccepted: "manage" as const,
    reinviteExpired: true,
  };
  const bob = { ...ada, username: "bob@example.com" };

  await registration(new OrgInvitation("ada", all), new OrgInvitation("bob", bob));

  expect(inputsOf(registered)).toEqual({ ada: all, bob });
  for (const { type, custom } of registered) {
    expect({ type, custom }).toEqual({
      type: "pulumi-nodejs:dynamic/mongodbatlas:OrgInvitation",
      custom: true,
    });
  }
  // Every state file contains this text, and every later version runs it.
  expect(new Set(registered.map(({ inputs }) => inputs.__provider))).toEqual(
    new Set([
      'exports.handler=()=>require("module").createRequire(process.cwd()+"/_")("pulumi-atlas-invitations/provider")',
    ]),
  );
});

test("has its inputs and outputs as outputs, also those that Atlas does not return", async () => {
  startProgram();
  const resource = new OrgInvitation("ada", { ...ada, onAccepted: "retain" });

  expect(await resolved(resource.id)).toBe("id of ada");
  const expected = { ...ada, onAccepted: "retain", ...outputs };
  for (const [name, value] of Object.entries(expected)) {
    const output = resource[name as keyof OrgInvitation] as pulumi.Output<unknown>;
    expect(await resolved(output), name).toEqual(value);
  }
  // pulumi#6587
  for (const name of ["teamIds", "groupRoleAssignments", "reinviteExpired"] as const) {
    expect(pulumi.Output.isInstance(resource[name]), name).toBe(true);
  }
});

test("does not change its arguments, which several resources may share", async () => {
  const registered = startProgram();
  const shared = Object.freeze({ ...ada });

  await registration(
    new OrgInvitation("here", shared),
    new OrgInvitation("there", Object.freeze({ ...shared, orgId: project })),
  );

  expect(inputsOf(registered)).toEqual({ here: ada, there: { ...ada, orgId: project } });
});

test("passes unknown arguments on to the check, but neither outputs nor the provider", async () => {
  const registered = startProgram();
  const given = {
    ...ada,
    teamsIds: [project],
    __provider: "exports.handler=()=>evil()",
    status: "ACCEPTED",
    userId: project,
  };

  await registration(new OrgInvitation("ada", given as OrgInvitationArgs));

  expect(inputsOf(registered)).toEqual({ ada: { ...ada, teamsIds: [project] } });
  expect(registered[0]?.inputs.__provider).toContain("pulumi-atlas-invitations/provider");
});

test("passes resource options on", async () => {
  startProgram();
  const parent = new pulumi.ComponentResource("example:index:Team", "team");
  const resource = new OrgInvitation("ada", ada, { parent });

  expect(await resolved(resource.urn)).toBe(
    "urn:pulumi:stack::project::example:index:Team$pulumi-nodejs:dynamic/mongodbatlas:OrgInvitation::ada",
  );
});

test("keeps a secret address secret, and nothing else", async () => {
  const registered = startProgram();
  const resource = new OrgInvitation("ada", { ...ada, username: pulumi.secret("ada@example.com") });

  await registration(resource);

  expect(await pulumi.isSecret(resource.username)).toBe(true);
  expect(await pulumi.isSecret(resource.orgId)).toBe(false);
  expect(await pulumi.isSecret(resource.roles)).toBe(false);
  const secret = {
    [pulumi.runtime.specialSigKey]: pulumi.runtime.specialSecretSig,
    value: "ada@example.com",
  };
  expect(inputsOf(registered)).toEqual({ ada: { ...ada, username: secret } });
});

// The engine makes an output secret where the input of its name is secret (annotateSecrets in provider_plugin.go).
test.each(["orgId", "username"] as const)("has a status that is not secret where %s is", async (name) => {
  for (const engine of [false, true]) {
    const registered = startProgram({ engine });
    const resource = new OrgInvitation("ada", { ...ada, [name]: pulumi.secret(ada[name]) });

    await registration(resource);

    expect(registered[0]?.inputs).not.toHaveProperty("status");
    expect(await pulumi.isSecret(resource.status)).toBe(false);
  }
});

test("tells the plugin its URN", async () => {
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

// A dependency on a component is one on all its children.
test("does not depend on other resources of its component", async () => {
  const registered = startProgram({ engine: true });
  const parent = new pulumi.ComponentResource("example:index:Team", "team");
  const orgIds = [orgId, project].map((id) => pulumi.output(Promise.resolve(id)));

  await registration(
    ...orgIds.map((orgId, index) => new OrgInvitation(`ada-${index}`, { ...ada, orgId }, { parent })),
  );

  expect(registered).toHaveLength(3);
});

const declaredTwice = (one: string, other: string) =>
  `ada@example.com in ${orgId} is declared twice, by the resources "${one}" and "${other}". Remove one of them.`;

const shouted = { orgId: orgId.toUpperCase(), username: "ADA@Example.com" };
type Declared = [name: string, args: Partial<OrgInvitationArgs>];
test.each<[how: string, first: Declared, second: Declared]>([
  ["values, in any letter case,", ["ada", {}], ["lovelace", shouted]],
  [
    "outputs",
    ["ada", { orgId: pulumi.output(orgId) }],
    ["lovelace", { username: pulumi.output("ADA@example.com") }],
  ],
  ["a promise", ["lovelace", { username: Promise.resolve("ada@example.com") }], ["ada", {}]],
])(
  "a person declared twice by %s is an error of one line, before both are registered",
  async (_, ...both) => {
    const registered = startProgram();
    const error = await errorOf(() => {
      for (const [name, args] of both) new OrgInvitation(name, { ...ada, ...args });
    });

    const text = declaredTwice("ada", "lovelace");
    expect(error).toBeInstanceOf(pulumi.RunError);
    expect({ message: error.message, stack: error.stack }).toEqual({ message: text, stack: text });
    await vi.waitFor(() => expect(registered.map(({ name }) => name)).toEqual(["ada"]));
  },
);

test("one person in two organizations, and two people in one, may be declared", async () => {
  const registered = startProgram();

  await registration(
    new OrgInvitation("ada", ada),
    new OrgInvitation("ada-there", { ...ada, orgId: project }),
    new OrgInvitation("bob", { ...ada, username: pulumi.output("bob@example.com") }),
  );

  expect(registered.map(({ name }) => name).sort()).toEqual(["ada", "ada-there", "bob"]);
});

test("a person declared twice by resources of one name is an error with their URNs", async () => {
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
    expect(error.message).toBe(declaredTwice(urn("one"), urn("other")));
    expect(registered.filter(({ custom }) => custom)).toHaveLength(1);
  }
});

// Tests of a program often share their mocks. An engine rejects a second resource of one URN.
test("a resource that is declared again under the same URN is the same resource", async () => {
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
  "a person or organization that is %j is left to the check of arguments",
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

test("another run of a program may declare the person again", async () => {
  for (const _ of [1, 2]) {
    const registered = startProgram();
    await registration(new OrgInvitation("ada", ada));
    expect(registered).toHaveLength(1);
  }
});

test("registers a person who is unknown in a preview as unknown", async () => {
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

test("a version of Node.js that is too old is an error of one sentence, before anything is registered", () => {
  const registered = startProgram();
  vi.mocked(assertNodeVersion).mockImplementationOnce(() => {
    throw new AtlasConfigError("nodeVersion", "Another Node.js is needed.");
  });

  expect(() => new OrgInvitation("ada", ada)).toThrow(new pulumi.RunError("Another Node.js is needed."));
  expect(registered).toEqual([]);
});

test("a package that Pulumi cannot load is an error, where Pulumi runs the program", () => {
  const folder = mkdtempSync(join(tmpdir(), "pulumi-atlas-program-"));
  vi.spyOn(process, "cwd").mockReturnValue(folder);
  startProgram();
  const declare = (name: string) => new OrgInvitation(name, { ...ada, username: `${name}@example.com` });

  expect(() => declare("ada")).not.toThrow();

  // Pulumi's language host sets this variable.
  vi.stubEnv("PULUMI_NODEJS_ENGINE", "127.0.0.1:1");
  expect(() => declare("bob")).toThrow(pulumi.RunError);
  expect(() => declare("eve")).toThrow(
    /^Pulumi does not find pulumi-atlas-invitations from .*package\.json\.$/,
  );
  rmSync(folder, { recursive: true });
});
