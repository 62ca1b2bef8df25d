import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { PluginHost, UNKNOWN } from "./plugin-host.ts";

const PROVIDER = `exports.handler=()=>require("module").createRequire(process.cwd()+"/_")("tiny/provider")`;
const TINY = `
let config;
exports.configure = (request) => { config = request.config; };
exports.check = async (olds, news) => ({
  inputs: { ...news, size: olds.size },
  failures: [{ property: "size", reason: "is too large" }],
});
exports.diff = async (id, olds, news) =>
  olds.name === news.name ? {} : { changes: true, replaces: ["name"], deleteBeforeReplace: true };
exports.create = async (inputs) => {
  if (inputs.name !== "half") {
    return { id: "id-" + inputs.name, outs: { key: config.get("tiny:key"), token: config.get("tiny:token") } };
  }
  throw Object.assign(new Error("half"), { id: "id-half", properties: inputs, reasons: ["not done"] });
};
exports.read = async (id, props) => (id === "gone" ? {} : { id, props, inputs: { name: "found" } });
exports.update = async (id, olds, news) => ({ outs: { ...news, was: olds.name } });
exports.delete = async (id) => {
  if (id === "never") return new Promise(() => {});
  console.log("deleting " + id);
  throw new Error("no");
};
`;

let folder: string;
let host: PluginHost;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "plugin-host-test-"));
  const tiny = join(folder, "node_modules", "tiny");
  await mkdir(tiny, { recursive: true });
  await writeFile(join(tiny, "package.json"), '{ "exports": { "./provider": "./provider.js" } }');
  await writeFile(join(tiny, "provider.js"), TINY);
  const sdk = dirname(createRequire(import.meta.url).resolve("@pulumi/pulumi/package.json"));
  await symlink(dirname(sdk), join(folder, "node_modules", "@pulumi"));
  const config = { "tiny:key": "public", "tiny:token": { secret: "private" } };
  host = await PluginHost.start({ folder, config, callTimeoutMs: 2000 });
});
afterAll(async () => {
  await host.stop();
  await rm(folder, { recursive: true, force: true });
});

const bag = (properties: object) => ({ ...properties, __provider: PROVIDER });

it.each<[string, () => Promise<unknown>, unknown]>([
  [
    "check",
    () => host.check(bag({ size: "huge" }), bag({ name: UNKNOWN })),
    {
      inputs: bag({ name: UNKNOWN, size: "huge" }),
      failures: [{ property: "size", reason: "is too large" }],
    },
  ],
  [
    "diff with a change",
    () => host.diff("1", bag({ name: "a" }), bag({ name: "b" })),
    { changes: true, replaces: ["name"], deleteBeforeReplace: true },
  ],
  [
    "diff that leaves the decision to the engine",
    () => host.diff("1", bag({ name: "a" }), bag({ name: "a" })),
    { changes: undefined, replaces: [], deleteBeforeReplace: false },
  ],
  [
    "create, with configuration and secrets",
    () => host.create(bag({ name: "a" })),
    { id: "id-a", properties: bag({ key: "public", token: "private" }) },
  ],
  [
    "read",
    () => host.read("1", bag({ name: "a" })),
    { id: "1", properties: bag({ name: "a" }), inputs: bag({ name: "found" }) },
  ],
  ["read of a deleted resource", () => host.read("gone", bag({})), expect.objectContaining({ id: "" })],
  ["update", () => host.update("1", bag({ name: "a" }), bag({ name: "b" })), bag({ name: "b", was: "a" })],
])("returns the provider's answer to %s", async (_, call, answer) => {
  expect(await call()).toEqual(answer);
});

it.each<[string, () => Promise<unknown>, object]>([
  ["error", () => host.delete("1", bag({})), { code: 2, message: "no", partial: undefined }],
  [
    "partial failure",
    () => host.create(bag({ name: "half" })),
    { partial: { id: "id-half", properties: bag({ name: "half" }), reasons: ["not done"] } },
  ],
  ["call that is not answered", () => host.delete("never", bag({})), { code: 4 }],
])("throws: %s", async (_, call, error) => {
  await expect(call()).rejects.toMatchObject(error);
});

it("collects the provider's output", async () => {
  await expect(host.delete("1", bag({}))).rejects.toThrow("no");
  await expect.poll(() => host.stdout).toMatch(/^deleting 1\n/);
  await expect.poll(() => host.stderr).toContain("Error: no\n    at ");
});

it("does not start in a folder without the SDK, and throws the reason", async () => {
  await expect(PluginHost.start({ folder: tmpdir() })).rejects.toThrow("MODULE_NOT_FOUND");
});
