import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Installation, installPackage, packTarball } from "../support/plugin-host/install-package.ts";
import { type Engine, provideEngine } from "../support/pulumi-cli/provide-engine.ts";
import { type CommandOptions, type CommandResult, Workspace } from "../support/pulumi-cli/workspace.ts";
import type { ApiKey } from "../support/simulated-atlas/api.ts";
import type { Organization, Person } from "../support/simulated-atlas/organization.ts";
import { SimulatedAtlas } from "../support/simulated-atlas/simulated-atlas.ts";
import type { ExpectedRequests, Generation } from "./expected-requests.ts";

export const UP = "up --yes --skip-preview";
export const REFRESH = "refresh --yes --skip-preview";
export const DESTROY = "destroy --yes --skip-preview";

/** A finished command, and what Atlas saw of it. */
export interface Run extends CommandResult {
  /** In the form of `SimulatedAtlas.log`. */
  requests: string[];
  /** What the Diagnostics section says, by the name of the resource; sorted, as lines of a plugin come at any time. */
  diagnostics: Record<string, string[]>;
}

/**
 * The arguments of one resource, right or wrong. Besides, `secrets` names arguments that are secret, and `options` holds
 * Pulumi's resource options; of these `provider` names an AtlasProvider with the same key, and `component` the parent.
 */
export type Declaration = Record<string, unknown>;

/** A value that the program knows once the resource of that name is created. */
export const afterCreating = (name: string, value: unknown) => ({ afterCreating: name, value });

const PROGRAM = `
const pulumi = require("@pulumi/pulumi");
const { AtlasProvider, OrgInvitation } = require("pulumi-atlas-invitations");
const declarations = require("./declarations.json");

const made = {};
const providers = {};
const providerOf = (name) => (providers[name] ??= new AtlasProvider(name, {
  publicKey: process.env.MONGODB_ATLAS_PUBLIC_KEY,
  privateKey: process.env.MONGODB_ATLAS_PRIVATE_KEY,
}));
for (const [name, { options = {}, secrets = [], ...declaration }] of Object.entries(declarations)) {
  const args = JSON.parse(JSON.stringify(declaration), (_key, value) =>
    value?.afterCreating ? made[value.afterCreating].status.apply(() => value.value) : value,
  );
  for (const secret of secrets) args[secret] = pulumi.secret(args[secret]);
  const { provider, component, ...others } = options;
  made[name] = new OrgInvitation(name, args, {
    ...others,
    ...(provider && { provider: providerOf(provider) }),
    ...(component && { parent: new pulumi.ComponentResource("test:index:Team", component) }),
  });
}
`;

const PROJECT = `
name: people
runtime:
  name: nodejs
  options:
    typescript: false
`;

/** The engine, and the package as users install it; the projects of all stacks live below that folder. */
export class Ground implements AsyncDisposable {
  readonly engine: Engine;
  readonly #installation: Installation;

  private constructor(engine: Engine, installation: Installation) {
    this.engine = engine;
    this.#installation = installation;
  }

  static async lay(): Promise<Ground> {
    const engine = await provideEngine({ log: console.log });
    return new Ground(engine, await installPackage("npm"));
  }

  /** A new project that declares nobody. */
  async project(): Promise<string> {
    const folder = await mkdtemp(join(this.#installation.folder, "project-"));
    await writeFile(join(folder, "Pulumi.yaml"), PROJECT);
    await writeFile(join(folder, "index.js"), PROGRAM);
    await writeFile(join(folder, "declarations.json"), "{}");
    return folder;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#installation.dispose();
    // It removes itself when the process exits, but a worker of vitest is ended before that.
    await rm(dirname(await packTarball()), { recursive: true, force: true });
  }
}

export interface InvitationStackOptions {
  /** On top of the address of the simulated Atlas and the generation. @default {@link keyEnv} */
  env?: (key: ApiKey) => NodeJS.ProcessEnv;
  /** The clock of the simulated Atlas. @default Date.now */
  now?: () => number;
  /** @default a new one */
  organizationId?: string | undefined;
}

/** Starts a stack on the generation at hand. */
export type StartStack = () => Promise<InvitationStack>;

/** A program that invites people, on a stack of its own, and the simulated organization that it is about. */
export class InvitationStack implements AsyncDisposable {
  readonly atlas: SimulatedAtlas;
  readonly organization: Organization;
  readonly key: ApiKey;
  readonly workspace: Workspace;
  /** What Atlas is to log for each step. */
  readonly expected: ExpectedRequests;

  private constructor(
    atlas: SimulatedAtlas,
    organization: Organization,
    key: ApiKey,
    workspace: Workspace,
    expected: ExpectedRequests,
  ) {
    this.atlas = atlas;
    this.organization = organization;
    this.key = key;
    this.workspace = workspace;
    this.expected = expected;
  }

  static async start(
    ground: Ground,
    generation: Generation,
    { env = keyEnv, now = Date.now, organizationId }: InvitationStackOptions = {},
  ): Promise<InvitationStack> {
    const atlas = await SimulatedAtlas.start({ now });
    const organization = atlas.addOrganization({ ...(organizationId && { id: organizationId }) });
    const key = atlas.addApiKey({ organization });
    const workspace = await Workspace.create(ground.engine, {
      folder: await ground.project(),
      env: {
        MONGODB_ATLAS_BASE_URL: atlas.url,
        MONGODB_ATLAS_INVITATIONS_API: generation.name,
        ...env(key),
      },
    });
    return new InvitationStack(atlas, organization, key, workspace, generation.requests(organization));
  }

  /** What the program declares from now on: `ada@example.com` as a member by the name of `ada`, unless told otherwise. */
  async declare(declarations: Record<string, Declaration>): Promise<void> {
    const complete = Object.entries(declarations).map(([name, declaration]) => [
      name,
      { orgId: this.organization.id, username: `${name}@example.com`, roles: ["ORG_MEMBER"], ...declaration },
    ]);
    await writeFile(
      join(this.workspace.folder, "declarations.json"),
      JSON.stringify(Object.fromEntries(complete)),
    );
  }

  /** Runs a command that is to succeed. */
  run(command: string, env?: NodeJS.ProcessEnv): Promise<Run> {
    return this.#run(command, { ...(env && { env }) });
  }

  /** Runs a command that is to fail. */
  async fail(command: string, env?: NodeJS.ProcessEnv): Promise<Run> {
    const run = await this.#run(command, { ...(env && { env }), allowFailure: true });
    if (run.exitCode === 0) throw new Error(`pulumi ${command} did not fail:\n${run.output}`);
    return run;
  }

  /** A copy of what Atlas stores of the person. */
  person(username: string): Person {
    const person = this.organization.find(username);
    if (!person) throw new Error(`Atlas does not know ${username}`);
    return person;
  }

  /** The stored outputs of the resource. */
  async outputs(name: string): Promise<Record<string, unknown> | undefined> {
    return (await this.workspace.resource(name))?.outputs;
  }

  /** The URN of the resource. */
  urn(name: string): string {
    return `urn:pulumi:dev::people::pulumi-nodejs:dynamic/mongodbatlas:OrgInvitation::${name}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.workspace.dispose();
    await this.atlas.stop();
  }

  async #run(command: string, options: CommandOptions): Promise<Run> {
    this.atlas.forget();
    const result = await this.workspace.pulumi(command.split(" "), options);
    return { ...result, requests: this.atlas.log(), diagnostics: diagnosticsIn(result.output) };
  }
}

/** The environment that gives Pulumi this key. */
export function keyEnv({
  publicKey,
  privateKey,
}: Pick<ApiKey, "publicKey" | "privateKey">): NodeJS.ProcessEnv {
  return { MONGODB_ATLAS_PUBLIC_KEY: publicKey, MONGODB_ATLAS_PRIVATE_KEY: privateKey };
}

function diagnosticsIn(output: string): Record<string, string[]> {
  const diagnostics: Record<string, string[]> = {};
  // The section ends at the next heading that is not indented.
  const [, section = ""] = /^Diagnostics:\n((?: .*\n|\n)*)/m.exec(output) ?? [];
  let messages: string[] = [];
  for (const line of section.split("\n")) {
    const [, name] = /^ {2}\S+ \((.+)\):$/.exec(line) ?? [];
    if (name !== undefined) {
      messages = [];
      diagnostics[name] = messages;
    } else if (line.trim() !== "") {
      messages.push(line.trim());
    }
  }
  for (const lines of Object.values(diagnostics)) lines.sort();
  return diagnostics;
}
