import { expect, test } from "vitest";
import { startScene } from "./caller.ts";
import { logLine } from "./request-log.ts";
import type { Stage } from "./stages.ts";

const create = { username: "ada@example.com", roles: ["ORG_MEMBER"] };

/** A scene with an access token, so that each call is one request. */
async function startWatched() {
  const scene = await startScene();
  const { atlas, organization } = scene;
  const token = atlas.addAccessToken({ organization });
  const path = `/api/atlas/v2${scene.invites}`;
  const headers = { Authorization: `Bearer ${token}`, Accept: "application/vnd.atlas.2023-01-01+json" };
  const call = (method: string, body?: unknown) => scene.caller.plain(method, path, { body, headers });
  return { ...scene, path, call };
}

test("a request passes three stages: before the work, before the answer, after it", async () => {
  await using scene = await startWatched();
  const seen: string[] = [];
  const stop = scene.atlas.onRequest((request, stage) => {
    seen.push(`${stage}, ${scene.atlas.mails.length} mails: ${logLine(request)}`);
  });

  const answered = new Promise<void>((resolve) => {
    scene.atlas.onRequest((_, stage) => {
      if (stage === "answered") resolve();
    });
  });
  await scene.call("POST", create);
  await answered;

  expect(seen).toEqual([
    `arrived, 0 mails: POST ${scene.path} …`,
    `handled, 1 mails: POST ${scene.path} 200`,
    `answered, 1 mails: POST ${scene.path} 200`,
  ]);
  stop();
  await scene.call("GET");
  expect(seen).toHaveLength(3);
});

test.each([
  ["arrived", 0],
  ["handled", 1],
] as const)("a request that has %s waits for every listener", async (held, mails) => {
  await using scene = await startWatched();
  let letGo = () => {};
  const released = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const waiting = new Promise<void>((resolve) => {
    scene.atlas.onRequest(({ method }, stage) => {
      if (method !== "POST" || stage !== held) return;
      resolve();
      return released;
    });
  });
  let isAnswered = false;

  const answer = scene.call("POST", create).then(({ status }) => {
    isAnswered = true;
    return status;
  });
  await waiting;
  // A whole other request is answered meanwhile.
  await scene.call("GET");

  expect([scene.atlas.mails.length, isAnswered]).toEqual([mails, false]);
  letGo();
  expect(await answer).toBe(200);
});

test.each([
  ["arrived", 0, "cut"],
  ["handled", 1, "200 cut"],
] as const)("a listener cuts a request that has %s", async (when, mails, outcome) => {
  await using scene = await startWatched();
  const stages: Stage[] = [];
  scene.atlas.onRequest((_, stage) => (stage === when ? "cut" : undefined));
  // One that comes later still sees the request, and cannot save it.
  scene.atlas.onRequest((_, stage) => {
    stages.push(stage);
  });

  await expect(scene.call("POST", create)).rejects.toThrow("fetch failed");

  expect(scene.atlas.mails).toHaveLength(mails);
  expect(scene.atlas.log()).toEqual([`POST ${scene.path} ${outcome}`]);
  expect(stages).toEqual(when === "arrived" ? ["arrived"] : ["arrived", "handled"]);
});

test("a request whose answer is lost to a fault is handled, and never answered", async () => {
  await using scene = await startWatched();
  const stages: string[] = [];
  scene.atlas.onRequest(({ method }, stage) => {
    stages.push(`${method} ${stage}`);
  });
  scene.atlas.fail({ cut: "after" });

  await expect(scene.call("POST", create)).rejects.toThrow("fetch failed");
  await scene.call("GET");

  expect(stages.slice(0, 4)).toEqual(["POST arrived", "POST handled", "GET arrived", "GET handled"]);
});
