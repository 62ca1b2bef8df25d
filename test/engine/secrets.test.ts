import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { formsOf } from "../support/secret-forms.ts";
import { DESTROY, type InvitationStack, REFRESH, UP } from "./invitation-stack.ts";
import { startStack } from "./start-stack.ts";

/** Credentials by their settings; the last one is secret, and the one before it is not. */
type Credentials = Record<string, string>;

const KINDS: Record<string, (stack: InvitationStack) => Credentials> = {
  "an API key": ({ key: { publicKey, privateKey } }) => ({ publicKey, privateKey }),
  "a service account": ({ atlas, organization }) => {
    const { clientId, clientSecret } = atlas.addServiceAccount({ organization });
    return { clientId, clientSecret };
  },
  "an access token": ({ atlas, organization }) => ({ accessToken: atlas.addAccessToken({ organization }) }),
};

// At this verbosity the engine itself prints each secret that it passes to the plugin, in a line of its own.
const LOUDLY = `${UP} -v=9 --logtostderr`;
const CONFIGURE =
  /^\{"time":"[^"]*","level":"INFO","msg":"Marshaling property for RPC\[Provider\[0x[0-9a-f]+\]\.Configure\(\)\.inputs\]: value=\{[^{}"]*\}","v":9\}$/;

/** Runs `up` at the most talkative: Atlas refuses one invitation, and takes the next `up`. */
async function upLoudly(stack: InvitationStack): Promise<string> {
  stack.atlas.fail({ method: "POST", status: 403, body: { errorCode: "NOT_ORG_OWNER" } });
  const { output } = await stack.fail(LOUDLY, { MONGODB_ATLAS_DEBUG: "1" });
  expect(output).toMatch(/POST \S+ 403 \d+ ms/);
  return output;
}

/** The forms of the credentials that are found in what was printed, or in a file that Pulumi has written. */
async function formsFound(
  { workspace, organization, atlas }: InvitationStack,
  credentials: Credentials,
  printed: string[],
) {
  const [secret = "", notSecret = ""] = Object.values(credentials).reverse();
  const entries = await readdir(workspace.home, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const stored = await Promise.all(
    files.map(({ parentPath, name }) => readFile(join(parentPath, name), "utf8")),
  );
  // Atlas itself returns the half that is not secret as the inviter (recorded).
  const inviter = new RegExp(`(inviterUsername\\\\*"\\s*:\\s*\\\\*")${notSecret}`, "g");
  const texts = [...stored, ...printed].join("\n").replace(inviter, "$1");
  expect(texts).toContain(organization.id);
  const tokens = atlas.tokens.map(({ token }) => ({ publicKey: token, privateKey: token }));
  const forms = [{ publicKey: notSecret || secret, privateKey: secret }, ...tokens].flatMap(formsOf);
  return forms.filter((form) => texts.includes(form));
}

describe.concurrent("what Pulumi prints and stores", () => {
  it.each(Object.keys(KINDS))("holds nothing of %s from the configuration, but encrypted", async (kind) => {
    await using stack = await startStack(undefined, { env: () => ({}) });
    const credentials = KINDS[kind]?.(stack) as Credentials;
    const settings = Object.entries(credentials);
    await stack.workspace.config(
      Object.fromEntries(settings.map(([name, secret]) => [`mongodbatlas:${name}`, { secret }])),
    );
    await stack.declare({ ada: {} });

    const lines = (await upLoudly(stack)).split("\n");
    expect(lines.filter((line) => CONFIGURE.test(line))).toHaveLength(settings.length);
    const printed = [lines.filter((line) => !CONFIGURE.test(line)).join("\n")];
    printed.push((await stack.run(UP)).output);
    printed.push(JSON.stringify(await stack.workspace.state()));
    expect(printed.at(-1)).toContain('"ciphertext"');
    printed.push((await stack.run(DESTROY)).output);
    expect(stack.organization.users).toEqual([]);
    expect(await formsFound(stack, credentials, printed)).toEqual([]);
  });

  it("holds nothing of an API key from the environment, and one short provider text for all resources", async () => {
    await using stack = await startStack();
    await stack.declare({ ada: {} });
    const printed = [await upLoudly(stack)];
    await stack.declare({ ada: {}, grace: {} });
    printed.push((await stack.run(UP)).output);
    const resources = Object.values(await stack.resources());
    const { publicKey, privateKey } = stack.key;
    expect(await formsFound(stack, { publicKey, privateKey }, printed)).toEqual([]);
    expect(JSON.stringify(resources)).not.toContain("ciphertext");

    const texts = resources.flatMap(({ inputs, outputs }) => [inputs?.__provider, outputs?.__provider]);
    expect(texts).toHaveLength(4);
    expect(new Set(texts).size).toBe(1);
    expect(String(texts[0]).length).toBeLessThan(150);
  });
});

describe.concurrent("secret arguments", () => {
  it("leave the status readable, in plans too", async () => {
    await using stack = await startStack();
    await stack.declare({ ada: { secrets: ["orgId", "username"] } });
    await stack.run(UP);
    expect(await stack.outputs("ada")).toMatchObject({ status: "PENDING" });
    stack.organization.accept("ada@example.com");
    const planned = await stack.run("preview --refresh --diff");
    expect(planned.output).toContain('status              : "PENDING" => "ACCEPTED"');
    await stack.run(REFRESH);
    expect(await stack.outputs("ada")).toMatchObject({ status: "ACCEPTED" });
    expect((await stack.run("preview --diff --expect-no-changes")).requests).toEqual([]);
  });
});
