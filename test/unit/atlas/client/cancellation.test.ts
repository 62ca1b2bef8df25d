import { describe, expect, test } from "vitest";
import { systemClock } from "../../../../provider/atlas/clock.ts";
import { rejection, requestFixture } from "./client-fixture.ts";

/** `requestFixture` with a run that can be cancelled. */
async function cancellationFixture() {
  const fixture = await requestFixture();
  const run = new AbortController();
  const bounds = { deadline: Number.POSITIVE_INFINITY, signal: run.signal };
  return {
    ...fixture,
    run,
    list: { ...fixture.list, bounds },
    create: { ...fixture.create, bounds },
    remove: { ...fixture.remove, bounds },
  };
}

const cancelled = { name: "AtlasError", kind: "cancelled" };

describe("when the run is cancelled,", () => {
  test("the wait for a retry ends at once", async () => {
    await using fixture = await cancellationFixture();
    fixture.atlas.fail({ status: 503, headers: { "Retry-After": "60" } });
    // The notice tells the user of the wait.
    const client = fixture.connected({ clock: systemClock, notify: () => fixture.run.abort() });

    await expect(fixture.send(fixture.list, client)).rejects.toMatchObject(cancelled);

    expect(fixture.methods()).toEqual(["GET"]);
  });

  test("a GET under way is aborted, also in its last attempt", async () => {
    await using fixture = await cancellationFixture();
    fixture.atlas.fail({ status: 503, times: 5 });
    const { struck } = fixture.atlas.fail({ hang: "before" });

    const sent = rejection(fixture.send(fixture.list));
    await struck;
    fixture.run.abort();

    expect(await sent).toMatchObject(cancelled);
    expect(fixture.methods()).toEqual(Array(6).fill("GET"));
  });

  test.each(["DELETE", "POST"])("a %s under way is not aborted, and its answer is used", async (method) => {
    await using fixture = await cancellationFixture();
    const { struck } = fixture.atlas.fail({ until: new Promise((resolve) => setTimeout(resolve, 50)) });

    const sent = fixture.send(method === "DELETE" ? fixture.remove : fixture.create);
    await struck;
    fixture.run.abort();

    expect(await sent).toBeTruthy();
    expect(fixture.methods()).toEqual([method]);
  });

  test("a request whose challenge is under way is not sent with credentials", async () => {
    await using fixture = await cancellationFixture();
    fixture.atlas.onRequest(({ challenge }, stage) => {
      if (stage === "handled" && challenge) fixture.run.abort();
    });

    await expect(fixture.send(fixture.create)).rejects.toMatchObject(cancelled);

    expect(fixture.log()).toEqual(["POST 401 challenge"]);
  });
});
