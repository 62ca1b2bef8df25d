import { PluginHost, type PluginHostOptions, type Properties } from "../support/plugin-host/plugin-host.ts";
import type { ApiKey } from "../support/simulated-atlas/api.ts";
import type { Organization } from "../support/simulated-atlas/organization.ts";
import { SimulatedAtlas } from "../support/simulated-atlas/simulated-atlas.ts";

/** The text in every state file: it never changes, or a resource of long ago could no longer be deleted. */
export const PROVIDER =
  'exports.handler=()=>require("module").createRequire(process.cwd()+"/_")("pulumi-atlas-invitations/provider")';

/** What a program declares, as `check` hands it on. */
export function checked(declared: Properties): Properties {
  const defaults = { onAccepted: "fail", reinviteExpired: false };
  return { roles: ["ORG_MEMBER"], ...defaults, ...declared, __provider: PROVIDER };
}

type Told = Pick<PluginHostOptions, "env" | "config">;

export interface HostSceneOptions {
  /** What the host is told of Atlas. @default {@link inEnvironment} */
  told?: (atlas: SimulatedAtlas, key: ApiKey) => Told;
  /** A script that its process runs before anything else. */
  preload?: string;
}

/** Tells the address and the key in the environment. */
export function inEnvironment(atlas: SimulatedAtlas, { publicKey, privateKey }: ApiKey): Told {
  return {
    env: {
      MONGODB_ATLAS_BASE_URL: atlas.url,
      MONGODB_ATLAS_PUBLIC_KEY: publicKey,
      MONGODB_ATLAS_PRIVATE_KEY: privateKey,
    },
  };
}

/** Tells the address and the key in the configuration of the stack, the private half as a secret. */
export function inConfiguration(atlas: SimulatedAtlas, { publicKey, privateKey }: ApiKey): Told {
  return {
    config: {
      "mongodbatlas:baseUrl": atlas.url,
      "mongodbatlas:publicKey": publicKey,
      "mongodbatlas:privateKey": { secret: privateKey },
    },
  };
}

// A proxy of the machine's own knows nothing of a simulated Atlas.
const AROUND_PROXIES = { NO_PROXY: "127.0.0.1", no_proxy: "127.0.0.1" };

/** A plugin host of its own, and the simulated organization that it is told of. */
export class HostScene implements AsyncDisposable {
  readonly atlas: SimulatedAtlas;
  readonly organization: Organization;
  readonly key: ApiKey;
  readonly host: PluginHost;
  readonly #options: PluginHostOptions;

  private constructor(
    atlas: SimulatedAtlas,
    organization: Organization,
    key: ApiKey,
    host: PluginHost,
    options: PluginHostOptions,
  ) {
    this.atlas = atlas;
    this.organization = organization;
    this.key = key;
    this.host = host;
    this.#options = options;
  }

  /** @param folder of the program, in which the package is found */
  static async start(
    folder: string,
    { told = inEnvironment, preload }: HostSceneOptions = {},
  ): Promise<HostScene> {
    const atlas = await SimulatedAtlas.start();
    const organization = atlas.addOrganization();
    const key = atlas.addApiKey({ organization });
    const { env, config = {} } = told(atlas, key);
    const options = {
      folder,
      env: {
        ...AROUND_PROXIES,
        ...env,
        ...(preload && { NODE_OPTIONS: `--require ${JSON.stringify(preload)}` }),
      },
      config,
    };
    return new HostScene(atlas, organization, key, await PluginHost.start(options), options);
  }

  /** Another host that is told the same; whoever starts it stops it. */
  anotherHost(): Promise<PluginHost> {
    return PluginHost.start(this.#options);
  }

  /** The checked inputs of a person of the organization, `ada@example.com` unless told otherwise. */
  news(changes: Properties = {}): Properties {
    return checked({ orgId: this.organization.id, username: "ada@example.com", ...changes });
  }

  /** What a state file holds of somebody who was invited in Atlas. */
  state(username: string): Properties {
    const { invitationId } = this.organization.find(username) ?? {};
    return { ...this.news({ username }), status: "PENDING", invitationId };
  }

  /** The requests since the last time, challenges aside, as `method what status`. */
  requests(): string[] {
    const root = `/api/atlas/v2/orgs/${this.organization.id}/`;
    const lines = this.atlas.log().filter((line) => !line.endsWith("challenge"));
    this.atlas.forget();
    return lines.map((line) => line.replace(root, "").replace(/\?\S*/, ""));
  }

  /** Stops the host, and returns all that it printed. */
  async printed(): Promise<{ stdout: string; stderr: string }> {
    await this.host.stop();
    const { stdout, stderr } = this.host;
    return { stdout, stderr };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.host.stop();
    await this.atlas.stop();
  }
}
