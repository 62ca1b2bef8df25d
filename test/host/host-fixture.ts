import { join } from "node:path";
import { inject } from "vitest";
import {
  PluginHost,
  PluginHostError,
  type PluginHostOptions,
  type Properties,
} from "../support/plugin-host/plugin-host.ts";
import type { ApiKey } from "../support/simulated-atlas/api.ts";
import type { Person } from "../support/simulated-atlas/organization.ts";
import { SimulatedAtlas } from "../support/simulated-atlas/simulated-atlas.ts";

export const ADA = "ada@example.com";
export const TEAM = "5f0000000000000000000001";

/** The text in every state file. It must never change, or resources in old states could not be deleted. */
export const PROVIDER =
  'exports.handler=()=>require("module").createRequire(process.cwd()+"/_")("pulumi-atlas-invitations/provider")';

type Settings = Pick<PluginHostOptions, "env" | "config">;

interface HostFixtureOptions {
  /** The folder of the program. @default the package as npm installs it */
  folder?: string;
  /** The address of Atlas and the credentials. @default {@link inEnvironment} */
  settings?: (atlas: SimulatedAtlas, key: ApiKey) => Settings;
  /** A script of this folder that the host's process runs before anything else. */
  preload?: string;
}

/** The address and the key as environment variables. */
export function inEnvironment(atlas: SimulatedAtlas, { publicKey, privateKey }: ApiKey): Settings {
  return {
    env: {
      MONGODB_ATLAS_BASE_URL: atlas.url,
      MONGODB_ATLAS_PUBLIC_KEY: publicKey,
      MONGODB_ATLAS_PRIVATE_KEY: privateKey,
    },
  };
}

export type HostFixture = Awaited<ReturnType<typeof startHost>>;

/** Starts a plugin host of its own, and a simulated organization for it. */
export async function startHost({
  folder = inject("packageFolder"),
  settings = inEnvironment,
  preload,
}: HostFixtureOptions = {}) {
  const atlas = await SimulatedAtlas.start();
  const organization = atlas.addOrganization();
  const key = atlas.addApiKey({ organization });
  const { env, config = {} } = settings(atlas, key);
  const options = {
    folder,
    env: {
      // A proxy of the machine cannot reach the simulated Atlas.
      NO_PROXY: "127.0.0.1",
      no_proxy: "127.0.0.1",
      NODE_COMPILE_CACHE: join(inject("packageFolder"), "compile-cache"),
      ...env,
      ...(preload && { NODE_OPTIONS: `--require ${JSON.stringify(join(import.meta.dirname, preload))}` }),
    },
    config,
  };
  const host = await PluginHost.start(options);
  const inputs = (changes: Properties = {}): Properties => ({
    orgId: organization.id,
    username: ADA,
    roles: ["ORG_MEMBER"],
    onAccepted: "fail",
    reinviteExpired: false,
    ...changes,
    __provider: PROVIDER,
  });

  return {
    atlas,
    organization,
    key,
    host,

    /** Starts another host with the same settings; the caller stops it. */
    restart: () => PluginHost.start(options),

    /** The checked inputs of a person of the organization: of `ada@example.com` by default. */
    inputs,

    /** The stored properties of a person whose invitation is pending. */
    state: ({ username, invitationId, userId }: Person): Properties => ({
      ...inputs({ username }),
      status: "PENDING",
      invitationId,
      userId,
    }),

    /** The requests since the last call, without challenges, as `method path status`. */
    requests(): string[] {
      const root = `/api/atlas/v2/orgs/${organization.id}/`;
      const lines = atlas.log().filter((line) => !line.endsWith("challenge"));
      atlas.forget();
      return lines.map((line) => line.replace(root, "").replace(/\?\S*/, ""));
    },

    /** Stops the host, and returns everything that it printed. */
    async output(): Promise<{ stdout: string; stderr: string }> {
      await host.stop();
      return { stdout: host.stdout, stderr: host.stderr };
    },

    async [Symbol.asyncDispose](): Promise<void> {
      await host.stop();
      await atlas.stop();
    },
  };
}

/** The error of a call that must fail. */
export async function failure(call: Promise<unknown>): Promise<PluginHostError> {
  const outcome = await call.catch((error: unknown) => error);
  if (outcome instanceof PluginHostError) return outcome;
  throw new Error(`The call did not fail: ${JSON.stringify(outcome)}`);
}
