import { describe, expect, test } from "vitest";
import type { Notice } from "../../../provider/atlas/notice.ts";
import { APIS, lifecycleFixture } from "./lifecycle-fixture.ts";

test.each(APIS)("an invitation is sent by the $apiVersion API", async ({ apiVersion, isUsers, setup }) => {
  const { atlas, organization, invited } = await setup();
  await invited();
  const [sent] = atlas.requests.filter(({ method, challenge }) => method === "POST" && !challenge);
  const root = `/api/atlas/${apiVersion === "v1.0" ? "v1.0" : "v2"}/orgs`;
  expect(sent?.path).toBe(`${root}/${organization.id}/${isUsers ? "users" : "invites"}`);
});

test("an invitation is sent with an access token, and only a service account has a token to revoke", async () => {
  const { atlas, organization, inputs, connection } = await lifecycleFixture("v2");
  const accessToken = atlas.addAccessToken({ organization });
  const { lifecycle, close } = connection({
    credentials: { kind: "accessToken", accessToken, source: "the test" },
  });
  await lifecycle.create(inputs());
  expect(organization.invitations).toHaveLength(1);
  expect([close, connection().close]).toEqual([undefined, undefined]);
});

describe("with a service account", () => {
  test("a run that is cancelled sends nothing but the revocation of its token", async () => {
    const { atlas, organization, inputs, connection, serviceAccount } = await lifecycleFixture("v2");
    const run = new AbortController();
    const { lifecycle, close } = connection({ credentials: serviceAccount(), signal: run.signal });
    await lifecycle.create(inputs());
    atlas.forget();
    run.abort();
    const created = lifecycle.create(inputs({ username: "grace@example.com" }));
    await expect(created).rejects.toMatchObject({ kind: "cancelled" });
    await close?.();
    expect(atlas.log()).toEqual(["POST /api/oauth/revoke 200"]);
    expect(atlas.tokens).toMatchObject([{ revoked: true }]);
    expect(organization.invitations).toHaveLength(1);
  });

  test("each request is reported on demand, also those for tokens", async () => {
    const { organization, inputs, connected, serviceAccount } = await lifecycleFixture("v2");
    const notices: Notice[] = [];
    const notify = (notice: Notice) => notices.push(notice);
    await connected({ credentials: serviceAccount(), debug: true, notify }).create(inputs());
    const path = `/api/atlas/v2/orgs/${organization.id}`;
    const text = (notice: Notice) => notice.text.replace(/\?\S+/, "").replace(/\d+ ms/, "1 ms");
    expect(notices.map(text)).toEqual([
      "POST /api/oauth/token 200 1 ms, attempt 1",
      `GET ${path}/invites 200 1 ms, attempt 1`,
      `GET ${path}/users 200 1 ms, attempt 1`,
      `POST ${path}/invites 200 1 ms, attempt 1`,
    ]);
    expect(new Set(notices.map(({ severity }) => severity))).toEqual(new Set(["debug"]));
  });
});
