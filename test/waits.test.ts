import { describe, expect, test } from "vitest";
import { ada, GENERATIONS, lifecycleScene } from "./lifecycle-scene.ts";
import { SimulatedClock } from "./simulated-clock.ts";

const tooMany = { status: 429, headers: { "Retry-After": "55" }, body: "" };

async function startScene(generation: (typeof GENERATIONS)[number]) {
  const clock = new SimulatedClock();
  return { clock, ...(await lifecycleScene(generation, { now: clock.now }, clock)) };
}

describe.each(GENERATIONS)("what people do while a request waits, on %s", (generation) => {
  const one = generation === "users" ? /users\/[^?]+$/ : /invites\//;

  test("is not lost on a DELETE: who accepts meanwhile stays a member", async () => {
    await using scene = await startScene(generation);
    const { atlas, organization, inputs, lifecycle, clock } = scene;
    const state = await clock.run(lifecycle.create(inputs()));
    const refused = atlas.fail({ method: "DELETE", path: one, ...tooMany });
    const deleted = clock.run(lifecycle.delete(state));
    await Promise.all([
      refused.struck.then(() => organization.accept(ada)),
      expect(deleted).rejects.toThrow("has accepted"),
    ]);
    expect(organization.find(ada)).toMatchObject({ status: "ACTIVE" });
  });

  test("is not lost on a PATCH: who accepts meanwhile keeps what they may do", async () => {
    await using scene = await startScene(generation);
    const { atlas, organization, inputs, lifecycle, clock } = scene;
    const state = await clock.run(lifecycle.create(inputs()));
    const refused = atlas.fail({ method: "PATCH", path: one, ...tooMany });
    const updated = clock.run(lifecycle.update(state, inputs({ roles: ["ORG_OWNER"] })));
    await Promise.all([
      refused.struck.then(() => organization.accept(ada)),
      expect(updated).rejects.toThrow("has accepted"),
    ]);
    expect(organization.find(ada)).toMatchObject({ roles: ["ORG_MEMBER"] });
  });

  test("costs no request where nobody waits", async () => {
    await using scene = await startScene(generation);
    const { inputs, lifecycle, clock, requests } = scene;
    const state = await clock.run(lifecycle.create(inputs()));
    requests();
    await clock.run(lifecycle.delete(state));
    expect(requests()).toEqual(
      generation === "users" ? ["GET users/id", "DELETE users/id"] : ["DELETE invites/id"],
    );
  });
});
