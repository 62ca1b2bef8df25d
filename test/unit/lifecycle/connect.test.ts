import { expect, test } from "vitest";
import type { Notice } from "../../../provider/atlas/notice.ts";
import { lifecycleFixture } from "./lifecycle-fixture.ts";

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

test("each request is reported on demand, also those for tokens", async () => {
  const { organization, inputs, connection, serviceAccount } = await lifecycleFixture("v2");
  const notices: Notice[] = [];
  const notify = (notice: Notice) => notices.push(notice);
  const { lifecycle, close } = connection({ credentials: serviceAccount(), debug: true, notify });
  await lifecycle.create(inputs());
  await close?.();
  const path = `/api/atlas/v2/orgs/${organization.id}`;
  const text = (notice: Notice) => notice.text.replace(/\?\S+/, "").replace(/\d+ ms/, "1 ms");
  expect(notices.map(text)).toEqual([
    "POST /api/oauth/token 200 1 ms, attempt 1",
    `GET ${path}/invites 200 1 ms, attempt 1`,
    `GET ${path}/users 200 1 ms, attempt 1`,
    `POST ${path}/invites 200 1 ms, attempt 1`,
    "POST /api/oauth/revoke 200 1 ms, attempt 1",
  ]);
  expect(new Set(notices.map(({ severity }) => severity))).toEqual(new Set(["debug"]));
});
