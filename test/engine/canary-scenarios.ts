import { expect, it } from "vitest";
import type { ApiKey } from "../support/simulated-atlas/api.ts";
import type { Organization } from "../support/simulated-atlas/organization.ts";
import type { SimulatedAtlas } from "../support/simulated-atlas/simulated-atlas.ts";
import { type InvitationStack, keyEnv, UP } from "./invitation-stack.ts";
import { formsOf, storedTexts } from "./stored-texts.ts";

/** Credentials of one kind, under the names of the environment and of the stack configuration. */
interface Canary {
  env: NodeJS.ProcessEnv;
  config: Record<string, { secret: string }>;
  /** The half that is no secret, if there is one. */
  first: string;
  forms: string[];
}

const KINDS: Record<string, (atlas: SimulatedAtlas, organization: Organization, key: ApiKey) => Canary> = {
  "an API key": (_atlas, _organization, key) => ({
    env: keyEnv(key),
    config: {
      "mongodbatlas:publicKey": { secret: key.publicKey },
      "mongodbatlas:privateKey": { secret: key.privateKey },
    },
    first: key.publicKey,
    forms: formsOf(key),
  }),
  "a service account": (atlas, organization) => {
    const { clientId, clientSecret } = atlas.addServiceAccount({ organization });
    return {
      env: { MONGODB_ATLAS_CLIENT_ID: clientId, MONGODB_ATLAS_CLIENT_SECRET: clientSecret },
      config: {
        "mongodbatlas:clientId": { secret: clientId },
        "mongodbatlas:clientSecret": { secret: clientSecret },
      },
      first: clientId,
      forms: formsOf({ publicKey: clientId, privateKey: clientSecret }),
    };
  },
  "an access token": (atlas, organization) => {
    const token = atlas.addAccessToken({ organization });
    return {
      env: { MONGODB_ATLAS_ACCESS_TOKEN: token },
      config: { "mongodbatlas:accessToken": { secret: token } },
      first: "",
      forms: formsOf({ publicKey: token, privateKey: token }),
    };
  },
};

// At this verbosity the engine itself prints each secret that it passes to the plugin, in a line of its own.
const CONFIGURE =
  /^\{"time":"[^"]*","level":"INFO","msg":"Marshaling property for RPC\[Provider\[0x[0-9a-f]+\]\.Configure\(\)\.inputs\]: value=\{[^{}"]*\}","v":9\}$/;

/** What the engine prints at its most talkative, and stores, when a create fails. */
export function canaryStories(start: () => Promise<InvitationStack>): void {
  it.each(Object.entries(KINDS))("prints and stores nothing of %s", async (_, add) => {
    await using stack = await start();
    const { atlas, organization, workspace } = stack;
    const { env, config, first, forms } = add(atlas, organization, stack.key);
    // Atlas itself tells who invited: the half that is no secret (recorded).
    const inviter = new RegExp(`(inviterUsername\\\\*"\\s*:\\s*\\\\*")${first}`, "g");
    const found = async (...printed: string[]) => {
      const texts = (await storedTexts(stack, ...printed)).replace(inviter, "$1");
      const tokens = atlas.tokens.flatMap(({ token }) => formsOf({ publicKey: token, privateKey: token }));
      expect(texts).toContain(organization.id);
      return [...forms, ...tokens].filter((form) => texts.includes(form));
    };
    const upLoudly = async (env: NodeJS.ProcessEnv = {}) => {
      atlas.fail({ method: "POST", status: 403, body: { errorCode: "NOT_ORG_OWNER" } });
      const { output } = await stack.fail(`${UP} -v=9 --logtostderr`, { ...env, MONGODB_ATLAS_DEBUG: "1" });
      expect(output).toMatch(/POST \S+ 403 \d+ ms/);
      return output;
    };
    await stack.declare({ ada: {} });

    expect(await found(await upLoudly(env))).toEqual([]);

    await workspace.config(config);
    const lines = (await upLoudly()).split("\n");
    const passed = lines.filter((line) => CONFIGURE.test(line));
    expect(passed).toHaveLength(Object.values(config).length);
    expect(await found(...lines.filter((line) => !CONFIGURE.test(line)))).toEqual([]);

    const { output } = await stack.run(UP);
    expect(await workspace.resource("ada")).toBeDefined();
    expect(await found(output)).toEqual([]);
  });
}
