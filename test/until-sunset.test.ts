import { expect, test } from "vitest";
import { lifecycleScene } from "./lifecycle-scene.ts";

test("a 410 about the key is no sunset", async () => {
  await using scene = await lifecycleScene("v2");
  const { atlas, inputs, lifecycle, notices } = scene;
  const body = { errorCode: "PERSONAL_API_KEYS_DEPRECATED", detail: "Old key." };
  atlas.fail({ path: /invites/, status: 410, body });
  await expect(lifecycle.create(inputs())).rejects.toThrow("410 PERSONAL_API_KEYS_DEPRECATED: Old key.");
  expect(notices).toEqual([]);
  expect(atlas.mails).toEqual([]);
});

test("a 410 from the users API, after the switch, is an error", async () => {
  await using scene = await lifecycleScene("v2");
  const { atlas, inputs, lifecycle, notices } = scene;
  atlas.sunset();
  atlas.fail({
    method: "POST",
    path: /users$/,
    status: 410,
    body: { errorCode: "VERSION_GONE", detail: "Gone." },
  });
  await expect(lifecycle.create(inputs())).rejects.toThrow("410 VERSION_GONE: Gone.");
  expect(notices).toHaveLength(1);
  expect(atlas.mails).toEqual([]);
});
