import { inspect } from "node:util";
import * as v from "valibot";
import { afterEach, expect, test, vi } from "vitest";
import { AtlasClient, type AtlasRequest } from "../../../../provider/atlas/atlas-client.ts";
import { ServiceAccountAuth } from "../../../../provider/atlas/credentials/service-account-auth.ts";
import { AtlasError, isAtlasApiError } from "../../../../provider/atlas/errors.ts";
import { RateLimiter } from "../../../../provider/atlas/limits/rate-limiter.ts";
import { Transport } from "../../../../provider/atlas/transport.ts";
import {
  SimulatedAtlas,
  type SimulatedAtlasOptions,
} from "../../../support/simulated-atlas/simulated-atlas.ts";
import { SimulatedClock } from "../../../support/simulated-clock.ts";
import { rejection } from "../client-fixture.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const source = "the environment (MONGODB_ATLAS_CLIENT_ID and MONGODB_ATLAS_CLIENT_SECRET)";
const token = "POST /api/oauth/token";
const revoke = "POST /api/oauth/revoke";
const onToken = { path: /^\/api\/oauth\/token$/, authenticated: "either" as const };
const onRevoke = { path: /^\/api\/oauth\/revoke$/, authenticated: "either" as const };

const bounds = { deadline: Number.POSITIVE_INFINITY };

/** A simulated Atlas with a service account, and a client that uses it, on one simulated clock. */
async function startScene(options?: SimulatedAtlasOptions) {
  const clock = new SimulatedClock();
  const atlas = await SimulatedAtlas.start({ ...options, now: clock.now });
  const organization = atlas.addOrganization();
  const account = atlas.addServiceAccount({ organization });
  const notices: string[] = [];
  const notify = (line: string) => notices.push(line);
  const connected = (changes: Partial<typeof account> = {}, baseUrl = atlas.url) => {
    const clientOptions = {
      transport: new Transport({ baseUrl }),
      rateLimiter: new RateLimiter(clock, notify),
      clock,
      credentialsSource: source,
      notify,
    };
    const auth = new ServiceAccountAuth(
      { ...account, ...changes },
      (auth) => new AtlasClient({ ...clientOptions, auth }),
      clock,
    );
    return { auth, client: new AtlasClient({ ...clientOptions, auth }) };
  };
  const { auth, client } = connected();
  const list: AtlasRequest = {
    method: "GET",
    path: `/api/atlas/v2/orgs/${organization.id}/invites`,
    mediaType: "application/vnd.atlas.2023-01-01+json",
    subject: "the list",
    bounds,
  };
  return {
    clock,
    atlas,
    organization,
    account,
    notices,
    connected,
    auth,
    list: (by = client) => clock.run(by.fetch(list, v.array(v.unknown()))),
    lists: (count: number) =>
      clock.run(Promise.all(Array.from({ length: count }, () => client.fetch(list, v.array(v.unknown()))))),
    invite: (by = client) =>
      clock.run(
        by.fetch(
          { ...list, method: "POST", body: { username: "ada@example.com", roles: ["ORG_MEMBER"] } },
          v.unknown(),
        ),
      ),
    close: () => clock.run(auth.close()),
    /** Does something while the next request is under way. */
    atWork: <Result>(act: () => Promise<Result>) =>
      new Promise<Result>((resolve) => {
        const lift = atlas.onRequest(() => {
          lift();
          resolve(act());
        });
      }),
    /** The requests since the last time: the status, or what else became of them. */
    log: () => {
      const log = atlas.log().map((line) => line.replace(/\/api\/atlas\/\S+/, "list"));
      atlas.forget();
      return log;
    },
    [Symbol.asyncDispose]: () => atlas.stop(),
  };
}

test("a token is asked for by the first request, as a form with Basic credentials, and serves those to come", async () => {
  await using scene = await startScene();

  await scene.list();
  expect(scene.atlas.requests).toMatchObject([
    {
      method: "POST",
      path: "/api/oauth/token",
      authenticated: true,
      username: scene.account.clientId,
      contentType: "application/x-www-form-urlencoded",
      accept: "application/json",
      body: "grant_type=client_credentials",
    },
    { method: "GET", authenticated: true, username: scene.account.clientId },
  ]);
  await scene.list();

  expect(scene.log()).toEqual([`${token} 200`, "GET list 200", "GET list 200"]);
});

test("nothing is asked for before it is needed", async () => {
  await using scene = await startScene();

  await scene.close();

  expect(scene.log()).toEqual([]);
});

test("a hundred requests at once share one token", async () => {
  await using scene = await startScene();

  await scene.lists(100);

  expect(scene.atlas.tokens).toHaveLength(1);
  expect(scene.log()).toEqual([`${token} 200`, ...Array(100).fill("GET list 200")]);
});

test("a token is renewed ten minutes before it expires, once for all", async () => {
  await using scene = await startScene();
  await scene.list();

  await scene.clock.advance(50 * 60_000 - 1);
  await scene.lists(10);
  expect(scene.atlas.tokens).toHaveLength(1);
  await scene.clock.advance(1);
  await scene.lists(10);

  expect(scene.atlas.tokens).toHaveLength(2);
  expect(scene.log()).not.toContain("GET list 401");
});

test("a wall clock that is set back keeps no token beyond its life", async () => {
  await using scene = await startScene();
  await scene.list();

  scene.clock.setBack(24 * 3_600_000);
  await scene.clock.advance(50 * 60_000 - 1);
  await scene.list();
  expect(scene.atlas.tokens).toHaveLength(1);
  await scene.clock.advance(1);
  await scene.list();

  expect(scene.atlas.tokens).toHaveLength(2);
});

test("a token of a short life is renewed in the last sixth of it", async () => {
  await using scene = await startScene({ tokenLifetimeS: 60 });
  await scene.list();

  await scene.clock.advance(49_999);
  await scene.list();
  expect(scene.atlas.tokens).toHaveLength(1);
  await scene.clock.advance(1);
  await scene.list();

  expect(scene.atlas.tokens).toHaveLength(2);
});

test("a token that had to be waited for is used for as long as it lives", async () => {
  await using scene = await startScene({ tokenLifetimeS: 60 });
  scene.atlas.fail({ ...onToken, status: 429, headers: { "Retry-After": "600" } });

  await scene.list();
  await scene.list();

  expect(scene.log()).toEqual([`${token} 429`, `${token} 200`, "GET list 200", "GET list 200"]);
});

test("a token that Atlas refuses is renewed once, and the request is sent with the new one", async () => {
  await using scene = await startScene();
  await scene.list();
  scene.atlas.expireTokens();

  await scene.list();

  expect(scene.log().slice(2)).toEqual(["GET list 401", `${token} 200`, "GET list 200"]);
});

test("requests whose token is refused together renew it once", async () => {
  await using scene = await startScene();
  await scene.list();
  scene.atlas.expireTokens();

  await scene.lists(100);

  expect(scene.atlas.tokens).toHaveLength(2);
});

test("requests that learn of a refusal in the same moment renew the token once", async () => {
  await using scene = await startScene();
  const sent: (string | undefined)[] = [];
  let refused: string | undefined;
  const send = () =>
    scene.auth.send({ method: "GET", target: "/", bounds }, async (authorization) => {
      sent.push(authorization);
      refused ??= authorization;
      return { status: authorization === refused ? 401 : 200, headers: {} };
    });

  const answers = await scene.clock.run(Promise.all([send(), send(), send()]));

  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(scene.atlas.tokens).toHaveLength(2);
  expect(new Set(sent.slice(3)).size).toBe(1);
});

test("a refusal that is learnt of late takes the token that others have renewed", async () => {
  await using scene = await startScene();
  let answerLate = () => {};
  const late = new Promise<void>((resolve) => {
    answerLate = resolve;
  });
  let refused: string | undefined;
  const send = (delay?: Promise<void>) =>
    scene.auth.send({ method: "GET", target: "/", bounds }, async (authorization) => {
      refused ??= authorization;
      if (authorization === refused) await delay;
      return { status: authorization === refused ? 401 : 200, headers: {} };
    });

  const slow = send(late);
  await scene.clock.run(send());
  answerLate();

  expect(await scene.clock.run(slow)).toMatchObject({ status: 200 });
  expect(scene.atlas.tokens).toHaveLength(2);
});

test("a token that is refused a second time is an error that names the source, and never a secret", async () => {
  await using scene = await startScene();
  scene.atlas.fail({ status: 401, times: 2 });

  const error = await rejection(scene.list());

  expect(error).toMatchObject({ name: "AtlasApiError", status: 401 });
  expect(error.message).toContain(`Atlas does not accept the credentials read from ${source}`);
  expect(inspect(error, { depth: null, showHidden: true })).not.toContain(scene.account.clientSecret);
  expect(scene.log()).toEqual([`${token} 200`, "GET list 401", `${token} 200`, "GET list 401"]);
});

test("a 401 that another token does not cure costs one token, however often it comes", async () => {
  await using scene = await startScene();
  const account = scene.atlas.addServiceAccount({ organization: scene.organization, roles: ["ORG_MEMBER"] });
  const { client } = scene.connected(account);

  for (let times = 0; times < 10; times++) {
    expect(await rejection(scene.invite(client))).toMatchObject({ errorCode: "NOT_ORG_OWNER" });
  }

  expect(scene.log()).toEqual([
    `${token} 200`,
    "POST list 401",
    `${token} 200`,
    ...Array(10).fill("POST list 401"),
  ]);
});

test("after such a 401 a token that expires is renewed as ever", async () => {
  await using scene = await startScene();
  const fault = scene.atlas.fail({ status: 401, times: 2 });
  await rejection(scene.list());
  fault.lift();
  scene.log();

  await scene.clock.advance(50 * 60_000);
  scene.atlas.expireTokens();
  await scene.list();
  scene.atlas.expireTokens();
  await scene.list();

  expect(scene.log()).toEqual([
    `${token} 200`,
    "GET list 200",
    "GET list 401",
    `${token} 200`,
    "GET list 200",
  ]);
});

test("a wrong secret is an error that names the source, and never the secret", async () => {
  await using scene = await startScene();
  const clientSecret = "mdb_sa_sk_that-is-wrong";
  const { client } = scene.connected({ clientSecret });

  const error = await rejection(scene.list(client));

  expect(error).toBeInstanceOf(AtlasError);
  expect(error.message).toBe(
    `There is no access token for the service account: POST /api/oauth/token answered 401 invalid_client: Invalid credentials provided. Atlas does not accept the credentials read from ${source}: check them, and that they still exist.`,
  );
  const shown = inspect(error, { depth: null, showHidden: true });
  expect(shown).not.toContain(clientSecret);
  expect(shown).not.toContain(Buffer.from(`${scene.account.clientId}:${clientSecret}`).toString("base64"));
  expect(scene.log()).toEqual([`${token} 401`]);
});

// By its status it would be taken for an answer about the person, or about the version of the API.
test.each([404, 410, 503])("a %i for the token is no answer to the request that needs it", async (status) => {
  await using scene = await startScene();
  scene.atlas.fail({ ...onToken, status, times: Number.POSITIVE_INFINITY });

  const error = await rejection(scene.list());

  expect(error.message).toMatch(
    /^There is no access token for the service account: POST \/api\/oauth\/token/,
  );
  expect(isAtlasApiError(error)).toBe(false);
  // The request that needs it does not repeat what was repeated already.
  expect(scene.log()).toEqual(Array(status === 503 ? 6 : 1).fill(`${token} ${status}`));
});

test("a bug in the request for a token comes out as it is, with its stack", async () => {
  await using scene = await startScene();
  const bug = new TypeError("undefined is not a function");
  vi.spyOn(Transport.prototype, "send").mockRejectedValueOnce(bug);

  expect(await rejection(scene.list())).toBe(bug);
});

test("a token that cannot be asked for is an error of all who need it, and asked for again by the next", async () => {
  await using scene = await startScene();
  const fault = scene.atlas.fail({ ...onToken, status: 403, times: Number.POSITIVE_INFINITY });

  await rejection(scene.lists(10));
  await scene.clock.advance(0);
  expect(scene.log()).toEqual([`${token} 403`]);
  fault.lift();
  await scene.list();

  expect(scene.log()).toEqual([`${token} 200`, "GET list 200"]);
});

test.each([
  ["nothing", ""],
  ["HTML", "<html>Sign in</html>"],
  ["no token", { expires_in: 3600 }],
  ["an empty token", { access_token: "", expires_in: 3600 }],
  ["a number for a token", { access_token: 1, expires_in: 3600 }],
  ["no end", { access_token: "canary" }],
  ["an end that is a text", { access_token: "canary", expires_in: "3600" }],
  ["an end that was", { access_token: "canary", expires_in: 0 }],
])("an answer with %s is no token, and not quoted", async (_, body) => {
  await using scene = await startScene();
  scene.atlas.fail({ ...onToken, status: 200, body });

  const error = await rejection(scene.list());

  expect(error.message).toMatch(
    /^There is no access token .* this is not an answer that the endpoint promises/,
  );
  expect(inspect(error, { depth: null, showHidden: true })).not.toContain("canary");
});

test.each([
  ["cut before Atlas has made it", { cut: "before" as const }, 1],
  ["lost after Atlas has made it", { cut: "after" as const }, 2],
  ["broken off", { damage: "half body" as const }, 2],
  ["in place of a proxy's 503", { status: 503, body: "<html>" }, 1],
])("a token that is %s is asked for again", async (_, fault, tokens) => {
  await using scene = await startScene();
  scene.atlas.fail({ ...onToken, ...fault });

  await scene.list();

  expect(scene.log().map((line) => line.replace(/(token) .*/, "$1"))).toEqual([token, token, "GET list 200"]);
  expect(scene.atlas.tokens).toHaveLength(tokens);
});

test("too many requests for tokens wait as long as Atlas says, in one line", async () => {
  await using scene = await startScene({ tokenRequestsPerMinute: 1 });
  const other = scene.connected();
  await scene.list(other.client);
  const start = scene.clock.now();

  await scene.lists(10);

  expect(scene.clock.now() - start).toBe(60_000);
  expect(scene.notices).toEqual([
    "the service account waits for Atlas, which limits how many requests it takes: about 59 s.",
  ]);
  expect(scene.log().slice(2, 4)).toEqual([`${token} 429`, `${token} 200`]);
});

test("closing revokes the token, once", async () => {
  await using scene = await startScene();
  await scene.list();

  await scene.clock.run(Promise.all([scene.auth.close(), scene.auth.close()]));
  await scene.close();

  expect(scene.atlas.requests.at(-1)).toMatchObject({
    authenticated: true,
    username: scene.account.clientId,
    contentType: "application/x-www-form-urlencoded",
    body: `token=${scene.atlas.tokens[0]?.token}&token_type_hint=access_token`,
  });
  expect(scene.atlas.tokens).toMatchObject([{ revoked: true }]);
  expect(scene.log()).toEqual([`${token} 200`, "GET list 200", `${revoke} 200`]);
});

test("closing while a token is asked for revokes it when it is there", async () => {
  await using scene = await startScene();

  const closed = scene.atWork(() => scene.auth.close());
  await Promise.all([scene.list(), closed]);

  expect(scene.atlas.tokens).toMatchObject([{ revoked: true }]);
});

test("closing while a token is asked for in vain asks for nothing more", async () => {
  await using scene = await startScene();
  scene.atlas.fail({ ...onToken, status: 403 });

  const closed = scene.atWork(() => scene.auth.close());
  await Promise.all([rejection(scene.list()), closed]);

  expect(scene.log()).toEqual([`${token} 403`]);
});

test("after closing the next request asks for a new token", async () => {
  await using scene = await startScene();
  await scene.list();
  await scene.close();

  await scene.list();

  expect(scene.atlas.tokens).toHaveLength(2);
});

test.each([
  ["503", { status: 503 }],
  ["cut", { cut: "before" as const }],
  ["400", { status: 400, body: { error: "invalid_request" } }],
])("closing is silent, and does not insist, where Atlas answers it with %s", async (_, fault) => {
  await using scene = await startScene();
  await scene.list();
  scene.atlas.fail({ ...onRevoke, ...fault, times: Number.POSITIVE_INFINITY });
  scene.log();

  expect(await scene.close()).toBeUndefined();

  expect(scene.notices).toEqual([]);
  expect(scene.log()).toHaveLength(1);
});
