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
  inputs: { ...news, size: news.size ?? "small" },
  failures: news.size === "huge" ? [{ property: "size", reason: "is too large" }] : [],
});
exports.diff = async (id, olds, news) =>
  olds.name === news.name ? {} : { changes: true, replaces: ["name"], deleteBeforeReplace: true };
exports.create = async (inputs) => {
  if (inputs.name === "half") {
    throw Object.assign(new Error("half"), { id: "id-half", properties: inputs, reasons: ["not done"] });
  }
  return { id: "id-" + inputs.name, outs: { ...inputs, key: config.get("tiny:key"), token: config.get("tiny:token") } };
};
exports.read = async (id, props) => (id === "gone" ? {} : { id, props, inputs: { name: "found" } });
exports.update = async (id, olds, news) => ({ outs: { ...news, was: olds.name } });
exports.delete = async (id) => {
  if (id === "never") return new Promise(() => {});
  console.log("asked to delete " + id);
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
  host = await PluginHost.start({
    folder,
    config: { "tiny:key": "public", "tiny:token": { secret: "private" } },
    callTimeoutMs: 2000,
  });
});
afterAll(async () => {
  await host.stop();
  await rm(folder, { recursive: true, force: true });
});

const bag = (properties: object) => ({ ...properties, __provider: PROVIDER });

it("checks", async () => {
  expect(await host.check({}, bag({ name: UNKNOWN }))).toEqual({
    inputs: bag({ name: UNKNOWN, size: "small" }),
    failures: [],
  });
  const { failures } = await host.check({}, bag({ size: "huge" }));
  expect(failures).toEqual([{ property: "size", reason: "is too large" }]);
});

it("tells a difference from one that is left to the engine", async () => {
  expect(await host.diff("1", bag({ name: "a" }), bag({ name: "b" }))).toEqual({
    changes: true,
    replaces: ["name"],
    deleteBeforeReplace: true,
  });
  expect(await host.diff("1", bag({ name: "a" }), bag({ name: "a" }))).toEqual({
    changes: undefined,
    replaces: [],
    deleteBeforeReplace: false,
  });
});

it("creates with the configuration, secrets included", async () => {
  expect(await host.create(bag({ name: "a" }))).toEqual({
    id: "id-a",
    properties: bag({ name: "a", key: "public", token: "private" }),
  });
});

it("reads what is there, and an empty id for what is gone", async () => {
  expect(await host.read("1", bag({ name: "a" }))).toEqual({
    id: "1",
    properties: bag({ name: "a" }),
    inputs: bag({ name: "found" }),
  });
  expect((await host.read("gone", bag({}))).id).toBe("");
});

it("updates", async () => {
  expect(await host.update("1", bag({ name: "a" }), bag({ name: "b" }))).toEqual(
    bag({ name: "b", was: "a" }),
  );
});

it("hands over a partial failure", async () => {
  await expect(host.create(bag({ name: "half" }))).rejects.toMatchObject({
    code: 2,
    message: "half",
    partial: { id: "id-half", properties: bag({ name: "half" }), reasons: ["not done"] },
  });
});

it("shows an error and what was printed", async () => {
  await expect(host.delete("1", bag({}))).rejects.toMatchObject({ code: 2, message: "no" });
  await expect.poll(() => host.stdout).toBe("asked to delete 1\n");
  await expect.poll(() => host.stderr).toContain("Error: no: Error: no\n    at ");
});

it("gives up on a call that is never answered", async () => {
  await expect(host.delete("never", bag({}))).rejects.toMatchObject({ code: 4 });
});

it("says why it does not start where the SDK is out of reach", async () => {
  await expect(PluginHost.start({ folder: tmpdir() })).rejects.toThrow("MODULE_NOT_FOUND");
});
