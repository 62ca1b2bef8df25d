import { describe, expect, test } from "vitest";
import { connect } from "../provider/connect.ts";
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

test.each(["delete", "update"] as const)(
  "a token that is long in coming does not make %s touch who accepted meanwhile",
  async (operation) => {
    await using scene = await startScene("users");
    const { atlas, organization, inputs, clock } = scene;
    const { clientId, clientSecret } = atlas.addServiceAccount({ organization });
    const credentials = { kind: "serviceAccount" as const, clientId, clientSecret, source: "the test" };
    const settings = { baseUrl: atlas.url, credentials, invitationsApi: "users" as const, debug: false };
    const { lifecycle } = connect({ ...settings, maxWaitMs: 3_600_000 }, () => {}, clock);
    const state = await clock.run(lifecycle.create(inputs()));

    const method = operation === "delete" ? "DELETE" : "PATCH";
    atlas.fail({ method, status: 401, body: "" });
    const limited = atlas.fail({ method: "POST", path: /oauth\/token/, authenticated: "either", ...tooMany });
    const done = clock.run(
      operation === "delete"
        ? lifecycle.delete(state)
        : lifecycle.update(state, inputs({ roles: ["ORG_OWNER"] })),
    );
    await Promise.all([
      limited.struck.then(() => organization.accept(ada)),
      expect(done).rejects.toThrow("has accepted"),
    ]);
    expect(organization.find(ada)).toMatchObject({ status: "ACTIVE", roles: ["ORG_MEMBER"] });
  },
);
