import { describe, expect, it } from "vitest";
import { lineWith, PHRASES } from "../support/message-phrases.ts";
import { ADA, failure, startHost } from "./host-fixture.ts";

describe("settings", () => {
  it("are not needed by check, and a create without credentials names the settings that provide them", async () => {
    await using fixture = await startHost({
      settings: ({ url }) => ({ env: { MONGODB_ATLAS_BASE_URL: url } }),
    });
    const { inputs, failures } = await fixture.host.check({}, fixture.inputs());
    expect(failures).toEqual([]);
    const { message } = await failure(fixture.host.create(inputs));
    expect(message).toMatch(
      lineWith(PHRASES.noCredentials, "MONGODB_ATLAS_PUBLIC_KEY", "mongodbatlas:publicKey"),
    );
    expect(await fixture.output()).toEqual({ stdout: "", stderr: "" });
    expect(fixture.atlas.requests).toEqual([]);
  });
});

describe("a host that the engine interrupts", () => {
  it("revokes the token of its service account", async () => {
    await using fixture = await startHost({
      settings: (atlas, { organization }) => {
        const { clientId, clientSecret } = atlas.addServiceAccount({ organization });
        const credentials = { MONGODB_ATLAS_CLIENT_ID: clientId, MONGODB_ATLAS_CLIENT_SECRET: clientSecret };
        return { env: { MONGODB_ATLAS_BASE_URL: atlas.url, ...credentials } };
      },
    });
    await fixture.host.create(fixture.inputs());
    expect(fixture.atlas.tokens).toMatchObject([{ revoked: false }]);
    expect(await fixture.output()).toEqual({ stdout: "", stderr: "" });
    expect(fixture.atlas.tokens).toMatchObject([{ revoked: true }]);
  });
});

describe("an unexpected error", () => {
  it("fails every operation, whatever was thrown, has its stack on stderr, and the host goes on", async () => {
    await using fixture = await startHost({ preload: "preload-throwing.cjs" });
    const { host } = fixture;
    const messages = async (username: string) => {
      const news = fixture.inputs({ username });
      const state = { ...news, status: "PENDING", invitationId: "5f00000000000000000000aa" };
      const calls = [
        host.check({}, news),
        host.diff("id", state, news),
        host.create(news),
        host.read("id", state),
        host.update("id", state, news),
        host.delete("id", state),
      ];
      const errors = await Promise.all(calls.map(failure));
      expect(errors.map(({ code }) => code)).toEqual([2, 2, 2, 2, 2, 2]);
      return [...new Set(errors.map(({ message }) => message))];
    };
    expect(await messages("string@example.com")).toEqual(["a string"]);
    expect(await messages("undefined@example.com")).toEqual(["undefined"]);
    expect(await messages("bare@example.com")).toHaveLength(1);
    expect(await messages("bug@example.com")).toEqual(["a bug"]);
    expect(fixture.requests()).toEqual([]);
    await host.create(fixture.inputs());
    expect(fixture.organization.users).toMatchObject([{ username: ADA }]);

    const { stdout, stderr } = await fixture.output();
    expect(stdout).toBe("");
    const stacks = stderr.split(/^(?=TypeError: a bug)/m).slice(1);
    expect(stacks).toHaveLength(6);
    for (const stack of stacks) expect(stack).toMatch(/^ +at .*org-invitation-provider/m);
  });
});
