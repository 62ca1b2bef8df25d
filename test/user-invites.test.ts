import { expect, test } from "vitest";
import { ada, lifecycleScene } from "./lifecycle-scene.ts";

test("never removes or changes on the stored status alone", async () => {
  await using scene = await lifecycleScene("users");
  const { organization, inputs, lifecycle, requests } = scene;
  const state = await lifecycle.create(inputs());
  organization.accept(ada);
  requests();
  await expect(lifecycle.delete(state)).rejects.toThrow("has accepted");
  await expect(lifecycle.update(state, inputs({ roles: ["ORG_OWNER"] }))).rejects.toThrow("has accepted");
  expect(requests().filter((request) => !request.startsWith("GET"))).toEqual([]);
  expect(organization.find(ada)).toMatchObject({ status: "ACTIVE", roles: ["ORG_MEMBER"] });
});

test("keeps nothing between the look and the request", async () => {
  await using scene = await lifecycleScene("users");
  const { inputs, lifecycle, requests } = scene;
  const state = await lifecycle.create(inputs());
  await lifecycle.read(state);
  requests();
  await lifecycle.delete(state);
  expect(requests()).toEqual(["GET users/id", "DELETE users/id"]);
});
