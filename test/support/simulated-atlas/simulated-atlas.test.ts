import { readdir, readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { startScene } from "./caller.ts";
import { SimulatedAtlas } from "./simulated-atlas.ts";

test("the log holds every request in the order of arrival, as objects and as lines", async () => {
  await using scene = await startScene();
  const path = `/api/atlas/v1.0${scene.invites}`;
  const body = { username: "ada@example.com", roles: ["ORG_MEMBER"] };
  await scene.caller.v1("POST", scene.invites, body);
  await scene.caller.v1("DELETE", `${scene.invites}/x`);

  const common = { accept: "application/json", challenge: false };
  const verified = { authenticated: true, username: scene.key.publicKey };
  const posted = { ...common, method: "POST", path, contentType: "application/json", body };
  const deleted = { ...common, method: "DELETE", path: `${path}/x` };
  const challenged = {
    authenticated: false,
    challenge: true,
    status: 401,
    errorCode: "UNEXPECTED_ERROR",
  };
  expect(scene.atlas.requests).toEqual([
    { ...posted, ...challenged },
    { ...posted, ...verified, status: 200 },
    { ...deleted, ...challenged },
    { ...deleted, ...verified, status: 400, errorCode: "INVALID_INVITATION_ID" },
  ]);
  expect(scene.atlas.log()).toEqual([
    `POST ${path} 401 challenge`,
    `POST ${path} 200`,
    `DELETE ${path}/x 401 challenge`,
    `DELETE ${path}/x 400`,
  ]);

  scene.atlas.forget();
  expect(scene.atlas.log()).toEqual([]);
});

test("ids and keys look like Atlas's", async () => {
  await using atlas = await SimulatedAtlas.start();
  const organization = atlas.addOrganization();
  const { invitationId, userId } = organization.invite("ada@example.com");
  const { publicKey, privateKey, roles } = atlas.addApiKey({ organization });

  for (const id of [organization.id, invitationId, userId, organization.addTeam()]) {
    expect(id).toMatch(/^[0-9a-f]{24}$/);
  }
  expect(publicKey).toMatch(/^[a-z]{8}$/);
  expect(privateKey).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  expect(roles).toEqual(["ORG_OWNER"]);
});

test("what is given is used", async () => {
  await using atlas = await SimulatedAtlas.start({ goneAnswer: 404 });
  const organization = atlas.addOrganization({ id: "32b6e34b3d91647abb20e7b8", name: "Seed" });
  const key = atlas.addApiKey({ organization, publicKey: "abcdefgh", privateKey: "secret", roles: [] });

  expect([organization.id, organization.name]).toEqual(["32b6e34b3d91647abb20e7b8", "Seed"]);
  expect([key.publicKey, key.privateKey, key.roles]).toEqual(["abcdefgh", "secret", []]);
  expect([atlas.settings.goneAnswer, atlas.settings.secondInvite]).toEqual([404, "replace"]);
});

test("a setting that changes while the simulator runs holds for the next request", async () => {
  await using scene = await startScene();

  scene.atlas.settings.goneAnswer = 404;

  expect((await scene.caller.v1("DELETE", `${scene.invites}/x`)).status).toBe(404);
});

test("simulators run side by side and are gone when they stop", async () => {
  const first = await SimulatedAtlas.start();
  await using second = await SimulatedAtlas.start();
  const { url } = first;
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  expect(url).not.toBe(second.url);
  expect((await fetch(url)).status).toBe(401);

  await first.stop();

  await expect(fetch(url)).rejects.toThrow("fetch failed");
  expect((await fetch(second.url)).status).toBe(401);
});

test("the simulator shares nothing with what it is to test", async () => {
  for (const file of await readdir(import.meta.dirname)) {
    const text = await readFile(`${import.meta.dirname}/${file}`, "utf8");
    for (const [, from] of text.matchAll(/(?:from|import\() ?"([^"]+)"/g)) {
      expect(from).toMatch(/^(node:|\.\/[^/]+$|vitest$)/);
    }
  }
});
