import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../../provider/atlas/clock.ts";
import { RateLimiter } from "../../../provider/atlas/limits/rate-limiter.ts";
import type { LoggedRequest } from "../../support/simulated-atlas/request-log.ts";
import { Created, Invitations, requestFixture } from "./client-fixture.ts";

/** `requestFixture` with a run that can be cancelled. */
async function cancellationFixture() {
  const fixture = await requestFixture();
  const run = new AbortController();
  const bounds = { deadline: Number.POSITIVE_INFINITY, signal: run.signal };
  return {
    ...fixture,
    run,
    list: { ...fixture.list, bounds },
    create: { ...fixture.create, bounds, invites: true, recheck: fixture.rechecked().recheck },
    remove: { ...fixture.remove, bounds },
    /** A client whose waits are real. */
    realTimeClient: () =>
      fixture.connected({
        clock: systemClock,
        rateLimiter: new RateLimiter(systemClock, () => {}, { signal: run.signal }),
        // Each test waits for a minute at least, and shows it.
        notify: () => run.abort(),
      }),
    /** Cancels the run while the next such request is handled. */
    cancelDuring: (isMeant: (request: LoggedRequest) => boolean) =>
      fixture.atlas.onRequest((request, stage) => {
        if (stage === "handled" && isMeant(request)) run.abort();
      }),
  };
}

const cancelled = { name: "AtlasError", kind: "cancelled" };

describe("when the run is cancelled,", () => {
  test("no request is sent", async () => {
    await using fixture = await cancellationFixture();
    fixture.run.abort();

    await expect(fixture.client.fetch(fixture.create, Created)).rejects.toMatchObject(cancelled);

    expect(fixture.atlas.requests).toEqual([]);
  });

  test.each([
    ["the throttle", { method: "POST", status: 400, body: { errorCode: "RATE_LIMITED_IP" } }],
    ["an empty bucket", { method: "POST", status: 429, headers: { "Retry-After": "55" } }],
    ["a retry", { method: "POST", status: 503 }],
  ])("an invitation that waits for %s is not sent", async (_, fault) => {
    await using fixture = await cancellationFixture();
    fixture.atlas.fail(fault);
    void fixture.clock.after(250).then(() => fixture.run.abort());

    await expect(fixture.client.fetch(fixture.create, Created)).rejects.toMatchObject(cancelled);

    expect(fixture.methods()).toEqual(["POST"]);
    expect(fixture.atlas.mails).toEqual([]);
  });

  test("the wait for a retry ends at once", async () => {
    await using fixture = await cancellationFixture();
    fixture.atlas.fail({ status: 503, headers: { "Retry-After": "60" } });

    const sent = fixture.realTimeClient().fetch(fixture.list, Invitations);

    await expect(sent).rejects.toMatchObject(cancelled);
    expect(fixture.methods()).toEqual(["GET"]);
  });

  test("a GET under way is aborted, also in its last attempt", async () => {
    await using fixture = await cancellationFixture();
    fixture.atlas.fail({ status: 503, times: 5 });
    const { struck } = fixture.atlas.fail({ hang: "before" });

    const sent = fixture.client.fetch(fixture.list, Invitations);
    void struck.then(() => fixture.run.abort());

    await expect(sent).rejects.toMatchObject(cancelled);
    expect(fixture.methods()).toEqual(Array(6).fill("GET"));
  });

  test("a DELETE and a POST under way are not aborted, and their answers are used", async () => {
    for (const method of ["DELETE", "POST"]) {
      await using fixture = await cancellationFixture();
      const until = new Promise((resolve) => setTimeout(resolve, 50));
      const { struck } = fixture.atlas.fail({ until });
      void struck.then(() => fixture.run.abort());

      if (method === "DELETE") await fixture.client.sendWithoutBody(fixture.remove);
      else
        expect(await fixture.client.fetch(fixture.create, v.object({ username: v.string() }))).toBeDefined();

      expect(fixture.methods()).toEqual([method]);
      expect(fixture.run.signal.aborted).toBe(true);
    }
  });

  test("a request whose challenge is under way is not sent with credentials", async () => {
    await using fixture = await cancellationFixture();
    fixture.cancelDuring(({ challenge }) => challenge);

    await expect(fixture.client.fetch(fixture.create, Created)).rejects.toMatchObject(cancelled);

    expect(fixture.log()).toEqual(["POST 401 challenge"]);
  });

  test("no token is requested", async () => {
    await using fixture = await cancellationFixture();
    fixture.cancelDuring(({ status }) => status === 401);

    const sent = fixture.withServiceAccount().sendWithoutBody(fixture.remove);

    await expect(sent).rejects.toMatchObject(cancelled);
    // The v1.0 API takes no tokens.
    expect(fixture.log()).toEqual(["token 200", "DELETE 401 challenge"]);
  });
});
