import { cp, mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Engine } from "../support/pulumi-cli/provide-engine.ts";
import {
  type CommandOptions,
  type CommandResult,
  type ExportedState,
  type StateResource,
  Workspace,
} from "../support/pulumi-cli/workspace.ts";
import type { ApiKey } from "../support/simulated-atlas/api.ts";
import { SimulatedAtlas } from "../support/simulated-atlas/simulated-atlas.ts";
import type { ApiVersion } from "./expected-requests.ts";

export const ADA = "ada@example.com";
export const ALAN = "alan@example.com";
export const GRACE = "grace@example.com";
export const EDSGER = "edsger@example.com";
export const HEDY = "hedy@example.com";

export const UP = "up --yes --skip-preview";
export const REFRESH = "refresh --yes --skip-preview";
export const DESTROY = "destroy --yes --skip-preview";

/** What all stacks share: the engine, and a folder in which the packed package is installed. */
export interface Environment {
  engine: Engine;
  packageFolder: string;
}

/**
 * The arguments of one resource, right or wrong. Besides, `secrets` names arguments that are secret, and `options`
 * holds resource options; of these, `provider` names an AtlasProvider with the same key, and `component` the parent.
 */
export type Declaration = Record<string, unknown>;

/** A value that the program knows once the resource of that name is created. */
export const afterCreating = (name: string, value: unknown) => ({ afterCreating: name, value });

/** A finished command, and the requests that Atlas received meanwhile. */
export interface Run extends CommandResult {
  /** In the form of `SimulatedAtlas.log`. */
  requests: string[];
  /** The lines of the Diagnostics section by resource name, sorted: plugins print at any time. */
  diagnostics: Record<string, string>;
}

export interface StackOptions {
  /** On top of the address of the simulated Atlas and the API version. @default {@link keyEnv} */
  env?: (key: ApiKey) => NodeJS.ProcessEnv;
  /** The clock of the simulated Atlas. @default Date.now */
  now?: () => number;
  /** @default a new one */
  organizationId?: string | undefined;
}

export type InvitationStack = Awaited<ReturnType<typeof createStack>>;

/** Creates a stack with a program that invites people, and a simulated organization for it. */
export async function createStack(
  { engine, packageFolder }: Environment,
  version: ApiVersion,
  { env = keyEnv, now = Date.now, organizationId }: StackOptions = {},
) {
  const atlas = await SimulatedAtlas.start({ now });
  const organization = atlas.addOrganization({ ...(organizationId && { id: organizationId }) });
  const key = atlas.addApiKey({ organization });
  const folder = await mkdtemp(join(packageFolder, "program-"));
  await cp(join(import.meta.dirname, "program"), folder, { recursive: true });
  const workspace = await Workspace.create(engine, {
    folder,
    env: {
      // Node compiles the SDK once instead of twice in every command.
      NODE_COMPILE_CACHE: join(packageFolder, "compile-cache"),
      MONGODB_ATLAS_BASE_URL: atlas.url,
      MONGODB_ATLAS_INVITATIONS_API: version.name,
      ...env(key),
    },
  });

  const execute = async (command: string, options: CommandOptions): Promise<Run> => {
    atlas.forget();
    const result = await workspace.pulumi(command.split(" "), options);
    return { ...result, requests: atlas.log(), diagnostics: diagnosticsIn(result.output) };
  };
  const person = (username: string) => {
    const found = organization.find(username);
    if (!found) throw new Error(`Atlas does not know ${username}`);
    return found;
  };
  const resources = async () => invitationsIn(await workspace.state());

  return {
    atlas,
    organization,
    key,
    workspace,
    expected: version.requests(organization),

    /**
     * Replaces what the program declares. Each argument that is left out has a default: for the resource `ada`,
     * `ada@example.com` is invited with the role `ORG_MEMBER`.
     */
    async declare(declarations: Record<string, Declaration>): Promise<void> {
      const complete = Object.entries(declarations).map(([name, declaration]) => [
        name,
        { orgId: organization.id, username: `${name}@example.com`, roles: ["ORG_MEMBER"], ...declaration },
      ]);
      await writeFile(join(folder, "declarations.json"), JSON.stringify(Object.fromEntries(complete)));
    },

    /** Runs a command that must succeed. */
    run: (command: string, env: NodeJS.ProcessEnv = {}) => execute(command, { env }),

    /** Runs a command that must fail. */
    async fail(command: string, env: NodeJS.ProcessEnv = {}): Promise<Run> {
      const run = await execute(command, { env, allowFailure: true });
      if (run.exitCode === 0) throw new Error(`pulumi ${command} did not fail:\n${run.output}`);
      return run;
    },

    /** A copy of what Atlas stores of the person. */
    person,
    people: (...usernames: string[]) => usernames.map(person),

    /** The invitations in the state, by resource name. */
    resources,
    outputs: async (name: string) => (await resources())[name]?.outputs,

    urn: (name: string) =>
      `urn:pulumi:dev::people::pulumi-nodejs:dynamic/mongodbatlas:OrgInvitation::${name}`,

    async [Symbol.asyncDispose](): Promise<void> {
      await workspace.dispose();
      await atlas.stop();
    },
  };
}

/** The invitations in an exported state, by resource name. */
export function invitationsIn({ deployment }: ExportedState): Record<string, StateResource> {
  const invitations = (deployment.resources ?? []).filter(({ type }) => type.endsWith(":OrgInvitation"));
  return Object.fromEntries(
    invitations.map((resource) => [String(resource.urn.split("::").at(-1)), resource]),
  );
}

/** The environment that gives Pulumi this key. */
export function keyEnv({ publicKey, privateKey }: Pick<ApiKey, "publicKey" | "privateKey">) {
  return { MONGODB_ATLAS_PUBLIC_KEY: publicKey, MONGODB_ATLAS_PRIVATE_KEY: privateKey };
}

function diagnosticsIn(output: string): Record<string, string> {
  const diagnostics: Record<string, string> = {};
  // The section ends at the next heading that is not indented.
  const [, section = ""] = /^Diagnostics:\n((?: .*\n|\n)*)/m.exec(output) ?? [];
  for (const [, name = "", text = ""] of section.matchAll(/^ {2}\S+ \((.+)\):\n((?: {4}.*\n|\n)*)/gm)) {
    const lines = text.split("\n").map((line) => line.trim());
    diagnostics[name] = lines.filter(Boolean).sort().join("\n");
  }
  return diagnostics;
}
