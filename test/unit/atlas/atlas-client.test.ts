import dns from "node:dns";
import { inspect } from "node:util";
import * as v from "valibot";
import { expect, test, vi } from "vitest";
import type { AtlasRequest, Bounds } from "../../../provider/atlas/atlas-client.ts";
import { StaticAuth } from "../../../provider/atlas/auth.ts";
import { ServiceAccountAuth } from "../../../provider/atlas/credentials/service-account-auth.ts";
import { AtlasApiError, AtlasNetworkError } from "../../../provider/atlas/errors.ts";
import { RateLimiter } from "../../../provider/atlas/limits/rate-limiter.ts";
import type { LoggedRequest } from "../../support/simulated-atlas/request-log.ts";
import { bounds, clientFixture, rejection, source } from "./client-fixture.ts";

const canary = "canary@example.com";
const aMinute = { deadline: 60_000 };
const Invitations = v.array(v.object({ id: v.string(), username: v.string() }));

/** A scene whose requests go to the invitations of its organization. */
async function startScene(...options: Parameters<typeof clientFixture>) {
  const scene = await clientFixture(...options);
  const path = `/api/atlas/v1.0/orgs/${scene.organization.id}/invites`;
  const mediaType = "application/json";
  const list: AtlasRequest = { method: "GET", path, mediaType, subject: "the list of invitations", bounds };
  const create: AtlasRequest = {
    method: "POST",
    path,
    mediaType,
    subject: canary,
    bounds,
    body: { username: canary, roles: ["ORG_MEMBER"] },
  };
  const remove = (id = "6a793f89c0eb9e7a177165b6"): AtlasRequest => ({
    method: "DELETE",
    path: `${path}/${id}`,
    mediaType,
    subject: canary,
    bounds,
  });
  /** The requests in their order: the method, or "token", and what became of it. */
  const steps = () =>
    scene.atlas.log().map((line) => line.replace(/^POST \/api\/oauth\/\S+/, "token").replace(/ \/\S+/, ""));
  /** Lets time pass while the next such request is answered. */
  const slowly = (method: string, ms: number, isSlow: (request: LoggedRequest) => boolean = () => true) => {
    const lift = scene.atlas.onRequest((request, stage) => {
      if (stage !== "handled" || request.method !== method || !isSlow(request)) return;
      lift();
      scene.clock.pass(ms);
    });
  };
  /** A recheck that looks at Atlas, counts its looks, and finds nothing wrong. */
  const look = (client = scene.client) => {
    const looks: Bounds[] = [];
    const recheck = async (bounds: Bounds) => {
      looks.push(bounds);
      await client.fetch({ ...list, bounds }, Invitations);
    };
    return { looks, recheck };
  };
  return { ...scene, path, list, create, remove, steps, slowly, look };
}

const isChallenge = ({ challenge }: LoggedRequest) => challenge;

test("a document is asked for, parsed and returned", async () => {
  await using scene = await startScene();
  const { invitationId } = scene.organization.invite("ada@example.com");

  expect(await scene.client.fetch(scene.list, Invitations)).toEqual([
    { id: invitationId, username: "ada@example.com" },
  ]);
  expect(scene.verified()).toEqual([
    {
      method: "GET",
      path: scene.path,
      authenticated: true,
      challenge: false,
      username: scene.key.publicKey,
      accept: "application/json",
      status: 200,
    },
  ]);
});

test("a body is sent as JSON of the media type that names the version", async () => {
  await using scene = await startScene();
  const mediaType = "application/vnd.atlas.2023-01-01+json";
  const path = scene.path.replace("v1.0", "v2");

  await scene.client.fetch({ ...scene.create, path, mediaType }, v.object({ id: v.string() }));

  expect(scene.verified()).toMatchObject([
    { method: "POST", accept: mediaType, contentType: mediaType, body: scene.create.body, status: 200 },
  ]);
  expect(scene.organization.invitations).toMatchObject([{ username: canary }]);
});

test("the query of a path is sent as it is", async () => {
  await using scene = await startScene();
  scene.organization.invite("ada@example.com");
  scene.organization.invite("bob@example.com");

  const path = `${scene.path}?username=bob%40example.com&pretty=true`;
  const found = await scene.client.fetch({ ...scene.list, path }, Invitations);

  expect(found).toMatchObject([{ username: "bob@example.com" }]);
  expect(scene.verified()).toMatchObject([{ path }]);
});

test("a command is answered with nothing", async () => {
  await using scene = await startScene();
  const { invitationId } = scene.organization.invite("ada@example.com");

  expect(await scene.client.sendWithoutBody(scene.remove(invitationId))).toBe(true);

  expect(scene.organization.users).toEqual([]);
  expect(scene.verified()).toMatchObject([{ method: "DELETE", status: 204 }]);
});

// The v1.0 page says that a DELETE returns an empty JSON document.
test.each(["{}", " {\n}\n", "", "\n"])("a command may be answered with %j", async (body) => {
  await using scene = await startScene();
  scene.atlas.fail({ status: 200, body });

  expect(await scene.client.sendWithoutBody(scene.remove())).toBe(true);
});

const promised = "this is not an answer that the endpoint promises:";
const proxy = "Check that no proxy answers in place of Atlas, and the base URL, if you set one.";

test.each([
  ["nothing", "", `${promised} it holds an empty body. ${proxy}`],
  ["blanks", " \r\n ", `${promised} it holds an empty body. ${proxy}`],
  ["HTML", "<html>Sign in</html>", `${promised} it holds HTML. ${proxy}`],
  ["HTML after a blank line", "\n <!doctype html>", `${promised} it holds HTML. ${proxy}`],
  ["text", "OK", `${promised} it holds something that is not whole JSON. ${proxy}`],
  ["half a document", '[{"id":', `${promised} it holds something that is not whole JSON. ${proxy}`],
  ["an object for a list", "{}", `${promised} it holds JSON of another kind. ${proxy}`],
  ["null", "null", `${promised} it holds JSON of another kind. ${proxy}`],
  [
    "a missing property",
    '[{"id":"1"}]',
    `${promised} its 0.username is missing or of another kind. ${proxy}`,
  ],
  [
    "a property of another type",
    '[{"id":"1","username":"a"},{"id":2,"username":"b"}]',
    `${promised} its 1.id is missing or of another kind. ${proxy}`,
  ],
])("a document that is %s is an error that says so", async (_, body, message) => {
  await using scene = await startScene();
  scene.atlas.fail({ status: 200, body });

  const error = await rejection(scene.client.fetch(scene.list, Invitations));

  expect(error).toBeInstanceOf(AtlasApiError);
  expect(error).toMatchObject({ status: 200, errorCode: undefined, method: "GET", path: scene.path });
  expect(error.message).toBe(`GET ${scene.path} answered 200: ${message}`);
});

test.each([
  ["HTML", "<html>Sign in</html>", "it holds HTML."],
  ["half a document", '{"id":', "it holds something that is not whole JSON."],
  ["a document", '{"login":"required"}', "it holds JSON of another kind."],
  ["a text in JSON", '"removed"', "it holds JSON of another kind."],
])("%s in answer to a command is an error that says so", async (_, body, reason) => {
  await using scene = await startScene();
  const { invitationId } = scene.organization.invite("ada@example.com");
  scene.atlas.fail({ status: 200, body });

  const error = await rejection(scene.client.sendWithoutBody(scene.remove(invitationId)));

  expect(error).toBeInstanceOf(AtlasApiError);
  expect(error.message).toBe(
    `DELETE ${scene.path}/${invitationId} answered 200: ${promised} ${reason} ${proxy}`,
  );
  expect(scene.organization.invitations).toHaveLength(1);
});

test.each([
  [
    "a documented error",
    400,
    { error: 400, errorCode: "INVALID_EMAIL_ADDRESS", detail: "Not an address.", reason: "Bad Request" },
    { errorCode: "INVALID_EMAIL_ADDRESS", detail: "Not an address." },
    "INVALID_EMAIL_ADDRESS: Not an address.",
  ],
  [
    "an error whose code is null",
    404,
    { error: 404, errorCode: null, detail: "Not there.", parameters: null },
    { errorCode: undefined, detail: "Not there." },
    `: Not there. ${proxy}`,
  ],
  [
    "an error without a code",
    400,
    { error: 400, detail: "Wrong." },
    { errorCode: undefined, detail: "Wrong." },
    ": Wrong.",
  ],
  [
    "an error with a number for a code",
    400,
    { errorCode: 17, detail: "Wrong." },
    { errorCode: undefined, detail: "Wrong." },
    ": Wrong.",
  ],
  [
    "an error without a detail",
    400,
    { errorCode: "INVALID_USER", detail: null, reason: "Bad Request" },
    { errorCode: "INVALID_USER", detail: "Bad Request" },
    "INVALID_USER: Bad Request",
  ],
  [
    "an error whose detail is empty",
    400,
    { errorCode: "INVALID_USER", detail: "", reason: "Bad Request" },
    { errorCode: "INVALID_USER", detail: "Bad Request" },
    "INVALID_USER: Bad Request",
  ],
  [
    "an error that says nothing",
    400,
    {},
    { errorCode: undefined, detail: "without a reason" },
    ": without a reason",
  ],
  [
    "an error of prototype names",
    400,
    '{"__proto__":{"errorCode":"ORG_NOT_FOUND"},"constructor":1}',
    { errorCode: undefined, detail: "without a reason" },
    ": without a reason",
  ],
  [
    "an HTML 502",
    502,
    "<html>connection closed</html>",
    { errorCode: undefined, detail: "with HTML" },
    ": with HTML. The trouble is at Atlas, or at a proxy on the way: try again later.",
  ],
  [
    "a 503 in words",
    503,
    "no healthy upstream",
    { errorCode: undefined, detail: "with something that is not whole JSON" },
    ": with something that is not whole JSON. The trouble is at Atlas, or at a proxy on the way: try again later.",
  ],
  [
    "a 500 with JSON that is no object",
    500,
    '"broken"',
    { errorCode: undefined, detail: "with JSON of another kind" },
    ": with JSON of another kind. The trouble is at Atlas, or at a proxy on the way: try again later.",
  ],
  [
    "a bare 404",
    404,
    "",
    { errorCode: undefined, detail: "with an empty body" },
    `: with an empty body. ${proxy}`,
  ],
  [
    "an empty 401",
    401,
    "",
    { errorCode: undefined, detail: "with an empty body" },
    `: with an empty body. Atlas does not accept the credentials read from ${source}: check them, and that they still exist.`,
  ],
  [
    "an empty 405",
    405,
    "",
    { errorCode: undefined, detail: "with an empty body" },
    ": with an empty body. The trouble is at Atlas, or at a proxy on the way: try again later.",
  ],
])("%s is told with its status, method and path", async (_, status, body, fields, rest) => {
  await using scene = await startScene();
  scene.atlas.fail({ status, body, times: Number.POSITIVE_INFINITY });

  const error = await rejection(scene.client.sendWithoutBody(scene.remove("1")));

  expect(error).toBeInstanceOf(AtlasApiError);
  expect(error).toMatchObject({ ...fields, status, method: "DELETE", path: `${scene.path}/1` });
  expect(error.message.replace(" Tried 6 times.", "")).toBe(
    `DELETE ${scene.path}/1 answered ${status}${rest.startsWith(":") ? "" : " "}${rest}`,
  );
});

test.each([301, 302, 307, 308])("a redirect, %i, is not followed", async (status) => {
  await using scene = await startScene();
  await using elsewhere = await startScene();
  scene.atlas.fail({ status, headers: { Location: `${elsewhere.atlas.url}/token=secret` } });

  const error = await rejection(scene.client.fetch(scene.list, Invitations));

  expect(error.message).toBe(`GET ${scene.path} answered ${status}: with an empty body. ${proxy}`);
  expect(elsewhere.atlas.requests).toEqual([]);
});

test("a wrong key is an error that names its source and never the key", async () => {
  await using scene = await startScene();
  const privateKey = "a-private-key-that-is-wrong";
  const client = scene.connectedBy({ ...scene.key, privateKey });

  const error = await rejection(client.fetch(scene.list, Invitations));

  expect(error).toMatchObject({ name: "AtlasApiError", status: 401, errorCode: "UNEXPECTED_ERROR" });
  expect(error.message).toContain(`the credentials read from ${source}`);
  expect(inspect(error, { depth: null, showHidden: true })).not.toContain(privateKey);
  expect(scene.atlas.log()).toEqual(Array(2).fill(`GET ${scene.path} 401 challenge`));
});

test("a key that is not an owner's is told which role it needs", async () => {
  await using scene = await startScene();
  const key = scene.atlas.addApiKey({ organization: scene.organization, roles: ["ORG_MEMBER"] });
  const client = scene.connectedBy(key);

  const error = await rejection(client.fetch(scene.list, Invitations));

  expect(error).toMatchObject({ status: 401, errorCode: "NOT_ORG_OWNER" });
  expect(error.message).toContain("The API key or service account needs the role Organization Owner");
});

test("a key of another organization is told so", async () => {
  await using scene = await startScene();
  const key = scene.atlas.addApiKey({ organization: scene.atlas.addOrganization() });
  const client = scene.connectedBy(key);

  const error = await rejection(client.fetch(scene.list, Invitations));

  expect(error).toMatchObject({ status: 401, errorCode: "USER_CANNOT_ACCESS_ORG" });
  expect(error.message).toContain(
    "The API key or service account belongs to another organization: check orgId",
  );
});

test("an organization that does not exist is told as a wrong orgId", async () => {
  await using scene = await startScene();
  const path = "/api/atlas/v1.0/orgs/000000000000000000000000/invites";

  const error = await rejection(scene.client.fetch({ ...scene.list, path }, Invitations));

  expect(error).toMatchObject({ status: 404, errorCode: "ORG_NOT_FOUND", path });
  expect(error.message).toContain("Check orgId");
});

test.each([
  ["empty", [], "ORG_REQUIRES_ACCESS_LIST"],
  ["without this machine", ["192.0.2.1"], "IP_ADDRESS_NOT_ON_ACCESS_LIST"],
])("an access list that is %s is told as such", async (_, accessList, errorCode) => {
  await using scene = await startScene();
  scene.organization.accessList = accessList;

  const error = await rejection(scene.client.fetch(scene.list, Invitations));

  expect(error).toMatchObject({ status: 403, errorCode });
  expect(error.message).toContain(
    "Add the address of this machine to the access list of the API key or service account",
  );
});

// DELETE and GET may be sent again without a look; a POST may not.
test.each([408, 500, 502])("%i is asked again, later each time, until it is answered", async (status) => {
  await using scene = await startScene();
  const { invitationId } = scene.organization.invite("ada@example.com");
  scene.atlas.fail({ status, body: "<html>busy</html>", times: 3 });

  expect(await scene.client.sendWithoutBody(scene.remove(invitationId))).toBe(true);

  expect(scene.verified().map(({ status }) => status)).toEqual([status, status, status, 204]);
  expect(scene.sleeps).toEqual([250, 500, 1000]);
  // Nobody is told of a few seconds.
  expect(scene.notices).toEqual([]);
  expect(scene.organization.users).toEqual([]);
});

test.each([400, 403, 404, 409, 410, 501])("%i is not asked again", async (status) => {
  await using scene = await startScene();
  scene.atlas.fail({ status });

  expect(await rejection(scene.client.fetch(scene.list, Invitations))).toMatchObject({ status });

  expect(scene.verified()).toHaveLength(1);
  expect(scene.sleeps).toEqual([]);
});

test("after six tries it is an error that says so, and long waits are told of", async () => {
  await using scene = await startScene();
  scene.atlas.fail({ status: 502, body: "<html>busy</html>", times: 6 });
  const told = `GET ${scene.path} answered 502: with HTML. The trouble is at Atlas, or at a proxy on the way: try again later.`;

  const error = await rejection(scene.client.fetch(scene.list, Invitations));

  expect(error).toMatchObject({ name: "AtlasApiError", status: 502 });
  expect(error.message).toBe(`${told} Tried 6 times.`);
  expect(scene.verified()).toHaveLength(6);
  expect(scene.sleeps).toEqual([250, 500, 1000, 2000, 4000]);
  expect(scene.notices).toEqual([
    `the list of invitations waits 2 s: ${told}`,
    `the list of invitations waits 4 s: ${told}`,
  ]);
});

test.each([
  ["seconds", "7"],
  ["a date", "Mon, 10 Aug 2026 00:00:07 GMT"],
])("a wait that Atlas asks for in %s is kept to", async (_, wait) => {
  await using scene = await startScene();
  scene.atlas.fail({ status: 503, headers: { "Retry-After": wait } });

  expect(await scene.client.fetch(scene.list, Invitations)).toEqual([]);

  expect(scene.sleeps).toEqual([7000]);
  expect(scene.notices).toEqual([
    expect.stringMatching(/^the list of invitations waits 7 s: GET .* answered 503/),
  ]);
});

test("who is asked to wait for no time at all still waits longer each time", async () => {
  await using scene = await startScene();
  scene.atlas.fail({ status: 429, headers: { "Retry-After": "0" }, times: 4 });

  expect(await scene.client.fetch(scene.list, Invitations)).toEqual([]);

  expect(scene.verified()).toHaveLength(5);
  expect(scene.slept()).toBe(250 + 500 + 1000 + 2000);
});

test("who was told to wait often may fail as often as anybody", async () => {
  await using scene = await startScene();
  scene.atlas.fail({ status: 429, headers: { "Retry-After": "1" }, times: 10 });
  scene.atlas.fail({ status: 503, times: 6 });

  const error = await rejection(scene.client.fetch(scene.list, Invitations));

  expect(error.message).toMatch(/answered 503.* Tried 16 times\.$/);
  expect(scene.verified()).toHaveLength(16);
});

test("waits that Atlas asks for are not counted as tries", async () => {
  await using scene = await startScene();
  scene.atlas.fail({ status: 502, times: 3 });
  scene.atlas.fail({ status: 429, headers: { "Retry-After": "1" }, times: 10 });
  scene.atlas.fail({ status: 502, times: 2 });

  expect(await scene.client.fetch(scene.list, Invitations)).toEqual([]);

  expect(scene.verified()).toHaveLength(16);
});

test("an empty bucket holds back everybody in the organization for as long as Atlas says", async () => {
  await using scene = await startScene();
  const detail = "Rate limit exceeded for api/atlas/v2/orgs. Please retry after 55 seconds.";
  const body = { error: 429, errorCode: "RATE_LIMITED_TOKEN_BUCKET", detail };
  scene.atlas.fail({ status: 429, body, headers: { "Retry-After": "55" } });

  expect(await scene.client.fetch(scene.list, Invitations)).toEqual([]);

  expect(scene.verified().map(({ status }) => status)).toEqual([429, 200]);
  expect(scene.slept()).toBe(55_000);
});

test("the throttle of invitations is waited for, whatever its status, and the invitation is sent then", async () => {
  await using scene = await startScene();
  const body = {
    error: 400,
    errorCode: "INVITATIONS_RATE_LIMITED_IP",
    detail: "Rate limit of 10 invitations per 1 minutes exceeded",
    parameters: [10, 1],
  };
  scene.atlas.fail({ method: "POST", status: 400, body });

  await scene.client.fetch({ ...scene.create, invites: true }, v.object({ id: v.string() }));

  expect(scene.verified().map(({ status }) => status)).toEqual([400, 200]);
  expect(scene.slept()).toBe(60_000);
  expect(scene.atlas.mails).toHaveLength(1);
});

test("the throttle's code in answer to what sends no e-mail is waited for as well", async () => {
  await using scene = await startScene();
  scene.atlas.fail({ status: 400, body: { errorCode: "RATE_LIMITED_IP" }, times: 2 });

  expect(await scene.client.fetch(scene.list, Invitations)).toEqual([]);

  expect(scene.verified()).toHaveLength(3);
  expect(scene.sleeps).toEqual([250, 500]);
});

test("a wait that is longer than allowed is an error at once", async () => {
  await using scene = await startScene();
  scene.atlas.fail({ status: 503, headers: { "Retry-After": "120" } });

  const error = await rejection(scene.client.fetch({ ...scene.list, bounds: aMinute }, Invitations));

  expect(error).toMatchObject({ name: "AtlasApiError", status: 503 });
  expect(error.message).toMatch(
    /try again later\. Waiting 120 s more for it is longer than mongodbatlas:maxWait allows\.$/,
  );
  expect(scene.verified()).toHaveLength(1);
  expect(scene.sleeps).toEqual([]);
});

test("a wait that is just as long as allowed is waited", async () => {
  await using scene = await startScene();
  scene.atlas.fail({ status: 503, headers: { "Retry-After": "60" } });

  expect(await scene.client.fetch({ ...scene.list, bounds: aMinute }, Invitations)).toEqual([]);
  expect(scene.sleeps).toEqual([60_000]);
});

test("a bucket that is nearly empty slows requests down before it is", async () => {
  await using scene = await startScene();
  const headers = { "RateLimit-Limit": "500", "RateLimit-Remaining": "49" };
  scene.atlas.fail({ status: 200, body: [], headers, times: 3 });

  for (const _ of Array(3)) await scene.client.fetch(scene.list, Invitations);

  expect(scene.sleeps).toEqual([240]);
});

test("all waits of a request together are what maxWait allows", async () => {
  await using scene = await startScene();
  scene.atlas.fail({ status: 503, headers: { "Retry-After": "40" }, times: 2 });

  const error = await rejection(scene.client.fetch({ ...scene.list, bounds: aMinute }, Invitations));

  expect(error.message).toContain("Waiting 40 s more for it is longer than");
  expect(scene.sleeps).toEqual([40_000]);
});

test("the wait for one's turn counts as well", async () => {
  await using scene = await startScene();
  const headers = { "Retry-After": "40" };
  scene.atlas.fail({ status: 429, headers });
  scene.atlas.fail({ status: 503, headers });

  const error = await rejection(scene.client.fetch({ ...scene.list, bounds: aMinute }, Invitations));

  expect(error.message).toContain("Waiting 40 s more for it is longer than");
  expect(scene.slept()).toBe(40_000);
});

test("a POST whose answer was lost is not sent again", async () => {
  for (const fault of [{ cut: "after" }, { status: 502, when: "after" }, { damage: "half body" }] as const) {
    await using scene = await startScene();
    scene.atlas.fail(fault);

    const error = await rejection(scene.client.fetch(scene.create, v.unknown()));

    expect(error.message).not.toContain("Tried");
    expect(scene.verified()).toHaveLength(1);
    expect(scene.atlas.mails).toHaveLength(1);
  }
});

test("a POST whose answer was lost is sent again after a recheck that allows it", async () => {
  await using scene = await startScene();
  scene.atlas.fail({ cut: "before", times: 2, method: "POST" });
  const { looks, recheck } = scene.look();

  await scene.client.fetch({ ...scene.create, recheck }, v.object({ id: v.string() }));

  expect(looks).toHaveLength(2);
  expect(scene.verified().map(({ method }) => method)).toEqual(["POST", "GET", "POST", "GET", "POST"]);
  expect(scene.atlas.mails).toHaveLength(1);
});

test("a recheck that forbids it is the end of a POST whose answer was lost", async () => {
  await using scene = await startScene();
  scene.atlas.fail({ cut: "after" });
  const recheck = () => Promise.reject(new Error("They are invited by now."));

  const sent = scene.client.fetch({ ...scene.create, recheck }, v.unknown());

  await expect(sent).rejects.toThrow("They are invited by now.");
  expect(scene.verified()).toHaveLength(1);
  expect(scene.atlas.mails).toHaveLength(1);
});

// Atlas takes 326 to 358 ms for an invitation (recorded), and goes on when the connection breaks.
test.each([
  ["cut", { cut: "during" }],
  ["taken over by a proxy", { status: 502, when: "during" }],
] as const)(
  "an invitation whose connection is %s while Atlas is at work is seen by the recheck",
  async (_, fault) => {
    await using scene = await startScene();
    scene.atlas.fail({ ...fault, method: "POST", until: scene.clock.after(358) });
    const recheck = async (bounds: Bounds) => {
      const found = await scene.client.fetch({ ...scene.list, bounds }, Invitations);
      if (found.length > 0) throw new Error("They are invited by now.");
    };

    const sent = scene.client.fetch({ ...scene.create, invites: true, recheck }, v.unknown());

    await expect(sent).rejects.toThrow("They are invited by now.");
    expect(scene.verified().map(({ method }) => method)).toEqual(["POST", "GET"]);
    expect(scene.atlas.mails).toHaveLength(1);
  },
);

test.each([
  ["shorter than Atlas takes for an invitation", "1", 2_000],
  ["longer", "3", 3_000],
])(
  "a lost invitation is rechecked after 2 s where the wait that Atlas asks for is %s",
  async (_, seconds, ms) => {
    await using scene = await startScene();
    scene.atlas.fail({ status: 503, method: "POST", headers: { "Retry-After": seconds } });
    const { looks, recheck } = scene.look();

    await scene.client.fetch({ ...scene.create, invites: true, recheck }, v.object({ id: v.string() }));

    expect(scene.sleeps).toEqual([ms]);
    expect(looks).toHaveLength(1);
    expect(scene.atlas.mails).toHaveLength(1);
  },
);

test("what sends no e-mail is repeated as soon as Atlas asks for it", async () => {
  await using scene = await startScene();
  scene.atlas.fail({ status: 503, headers: { "Retry-After": "1" } });

  expect(await scene.client.fetch(scene.list, Invitations)).toEqual([]);

  expect(scene.sleeps).toEqual([1_000]);
});

test("nothing is rechecked where nothing waited", async () => {
  await using scene = await startScene();
  const { invitationId } = scene.organization.invite("ada@example.com");
  scene.slowly("DELETE", 500, isChallenge);
  const { looks, recheck } = scene.look();

  await scene.client.sendWithoutBody({ ...scene.remove(invitationId), recheck });

  expect(looks).toEqual([]);
  expect(scene.steps()).toEqual(["DELETE 401 challenge", "DELETE 204"]);
});

test("what is unchecked is rechecked once, immediately before it is sent", async () => {
  await using scene = await startScene();
  const { invitationId } = scene.organization.invite("ada@example.com");
  const { looks, recheck } = scene.look();

  await scene.client.sendWithoutBody({ ...scene.remove(invitationId), recheck, isUnchecked: true });

  expect(looks).toHaveLength(1);
  expect(scene.steps()).toEqual(["GET 401 challenge", "GET 200", "DELETE 204"]);
});

test.each([
  [false, "500", 0],
  [false, "501", 1],
  [true, "10000", 0],
  [true, "10001", 1],
])("invites: %j, after a wait of %s ms for one's turn: %i rechecks", async (invites, ms, count) => {
  await using scene = await startScene();
  const limits = new RateLimiter(scene.clock, () => {});
  const client = scene.connected({ limits });
  const { invitationId } = scene.organization.invite("ada@example.com");
  const request = { ...(invites ? scene.create : scene.remove(invitationId)), invites };
  limits.onTooManyRequests(request, Number(ms));
  const { looks, recheck } = scene.look();

  await client.fetch({ ...request, recheck }, v.unknown());

  expect(scene.slept()).toBe(Number(ms));
  expect(looks).toHaveLength(count);
  expect(scene.verified().map(({ method }) => method)).toEqual([...Array(count).fill("GET"), request.method]);
});

test("what a look has allowed does not wait behind other requests for a connection", async () => {
  await using scene = await startScene();
  const { invitationId } = scene.organization.invite("ada@example.com");
  await scene.client.fetch(scene.list, Invitations);
  let release = () => {};
  const until = new Promise<void>((resolve) => {
    release = resolve;
  });
  const lists = (count: number, name: string) =>
    Array.from({ length: count }, () =>
      scene.client.fetch({ ...scene.list, path: `${scene.path}?username=${name}` }, Invitations),
    );
  // All connections but one.
  scene.atlas.fail({ path: /held/, until, times: 31 });
  const held = lists(31, "held");
  const others: Promise<unknown>[] = [];
  const lift = scene.atlas.onRequest(({ path }, stage) => {
    if (path !== scene.path || stage !== "arrived") return;
    lift();
    others.push(...lists(20, "other"));
  });
  const { recheck } = scene.look();

  await scene.client.sendWithoutBody({ ...scene.remove(invitationId), recheck, isUnchecked: true });
  await Promise.all(others);
  release();
  await Promise.all(held);

  const sent = scene.verified().filter(({ path }) => !path.includes("held"));
  // The first of the others had the connection that the look gave back.
  expect(sent.map(({ method }) => method).slice(0, 4)).toEqual(["GET", "GET", "GET", "DELETE"]);
  expect(sent).toHaveLength(23);
});

test("an invitation that waited for the throttle is rechecked before it is sent", async () => {
  await using scene = await startScene();
  scene.atlas.fail({ method: "POST", status: 400, body: { errorCode: "RATE_LIMITED_IP" } });
  const { recheck } = scene.look();

  await scene.client.fetch({ ...scene.create, invites: true, recheck }, v.object({ id: v.string() }));

  expect(scene.slept()).toBe(60_000);
  expect(scene.verified().map(({ method }) => method)).toEqual(["POST", "GET", "POST"]);
  expect(scene.atlas.mails).toHaveLength(1);
});

test("a slow challenge is a wait like any other", async () => {
  await using scene = await startScene();
  const { invitationId } = scene.organization.invite("ada@example.com");
  scene.slowly("DELETE", 501, isChallenge);
  const { recheck } = scene.look();

  await scene.client.sendWithoutBody({ ...scene.remove(invitationId), recheck });

  expect(scene.steps()).toEqual(["DELETE 401 challenge", "GET 401 challenge", "GET 200", "DELETE 204"]);
});

test("a nonce that is refused slowly is a wait like any other", async () => {
  await using scene = await startScene();
  const { invitationId } = scene.organization.invite("ada@example.com");
  await scene.client.fetch(scene.list, Invitations);
  scene.clock.pass(61_000);
  scene.atlas.forget();
  scene.slowly("DELETE", 5_000, isChallenge);
  const { recheck } = scene.look();

  await scene.client.sendWithoutBody({ ...scene.remove(invitationId), recheck });

  expect(scene.steps()).toEqual(["DELETE 401 challenge", "GET 401 challenge", "GET 200", "DELETE 204"]);
});

test("where a nonce serves once, and is refused slowly, the recheck is repeated", async () => {
  await using scene = await startScene({ nonces: "once" });
  const { invitationId } = scene.organization.invite("ada@example.com");
  scene.slowly("DELETE", 5_000, isChallenge);
  const { recheck } = scene.look();

  await scene.client.sendWithoutBody({ ...scene.remove(invitationId), recheck, isUnchecked: true });

  const look = ["GET 401 challenge", "GET 200"];
  expect(scene.steps()).toEqual([...look, "DELETE 401 challenge", ...look, "DELETE 204"]);
});

test("nothing is sent with a nonce that was refused slowly, where the recheck forbids it", async () => {
  await using scene = await startScene();
  const { invitationId } = scene.organization.invite("ada@example.com");
  scene.slowly("DELETE", 5_000, isChallenge);
  const recheck = () => Promise.reject(new Error("They have accepted."));

  const removal = scene.client.sendWithoutBody({ ...scene.remove(invitationId), recheck });

  await expect(removal).rejects.toThrow("They have accepted.");
  expect(scene.verified()).toEqual([]);
  expect(scene.organization.invitations).toHaveLength(1);
});

/** A scene of the versioned API, which takes tokens, whose client has a token. */
async function startTokenScene() {
  const scene = await startScene();
  const versioned = {
    path: scene.path.replace("v1.0", "v2"),
    mediaType: "application/vnd.atlas.2023-01-01+json",
  };
  const client = scene.withServiceAccount();
  const list = { ...scene.list, ...versioned };
  await client.fetch(list, Invitations);
  scene.atlas.forget();
  const { invitationId } = scene.organization.invite("ada@example.com");
  const remove = { ...scene.remove(), ...versioned, path: `${versioned.path}/${invitationId}` };
  const recheck = async (bounds: Bounds) => {
    const found = await client.fetch({ ...list, bounds }, Invitations);
    if (found.length === 0) throw new Error("They have accepted.");
  };
  const slowToken = () =>
    scene.atlas.fail({
      path: /oauth/,
      authenticated: "either",
      status: 429,
      headers: { "Retry-After": "60" },
    });
  return { ...scene, client, list, remove, recheck, slowToken };
}

test("a token that is refused, and whose renewal has to wait, is a wait like any other", async () => {
  await using scene = await startTokenScene();
  scene.slowToken();
  const lift = scene.atlas.onRequest(({ method }, stage) => {
    if (method !== "GET" || stage !== "handled") return;
    lift();
    scene.atlas.expireTokens();
  });

  await scene.client.sendWithoutBody({ ...scene.remove, recheck: scene.recheck, isUnchecked: true });

  expect(scene.slept()).toBe(60_000);
  expect(scene.steps()).toEqual(["GET 200", "DELETE 401", "token 429", "token 200", "GET 200", "DELETE 204"]);
});

test("nobody is removed who has accepted while a token was waited for", async () => {
  await using scene = await startTokenScene();
  scene.slowToken();
  scene.atlas.expireTokens();
  scene.atlas.onRequest(({ method, status }, stage) => {
    if (method === "DELETE" && status === 401 && stage === "answered")
      scene.organization.accept("ada@example.com");
  });

  const removal = scene.client.sendWithoutBody({ ...scene.remove, recheck: scene.recheck });

  await expect(removal).rejects.toThrow("They have accepted.");
  expect(scene.steps()).toEqual(["DELETE 401", "token 429", "token 200", "GET 200"]);
  expect(scene.organization.users).toMatchObject([{ status: "ACTIVE" }]);
});

test("a renewal that is due, and has to wait, is a wait like any other", async () => {
  await using scene = await startTokenScene();
  scene.slowToken();
  scene.slowly("GET", 50 * 60_000);

  await scene.client.sendWithoutBody({ ...scene.remove, recheck: scene.recheck, isUnchecked: true });

  expect(scene.slept()).toBe(60_000);
  expect(scene.steps()).toEqual(["GET 200", "token 429", "token 200", "GET 200", "DELETE 204"]);
});

test("a recheck that fails is the end of the request, whose tries are not counted anew", async () => {
  await using scene = await startScene();
  const { invitationId } = scene.organization.invite("ada@example.com");
  scene.atlas.fail({ method: "GET", status: 503, times: Number.POSITIVE_INFINITY });
  const { recheck } = scene.look();

  const error = await rejection(
    scene.client.sendWithoutBody({ ...scene.remove(invitationId), recheck, isUnchecked: true }),
  );

  expect(error).toMatchObject({ status: 503, method: "GET" });
  expect(error.message.match(/Tried 6 times\./g)).toHaveLength(1);
  expect(scene.verified().map(({ method }) => method)).toEqual(Array(6).fill("GET"));
  expect(scene.organization.invitations).toHaveLength(1);
});

test("a recheck that the first request of a burst needs does not wait for the burst", async () => {
  await using scene = await startScene();
  const { invitationId } = scene.organization.invite("ada@example.com");
  scene.slowly("DELETE", 5_000, isChallenge);
  const { looks, recheck } = scene.look();

  const removal = scene.client.sendWithoutBody({ ...scene.remove(invitationId), recheck });
  const others = Array.from({ length: 5 }, () => scene.client.fetch(scene.list, Invitations));

  expect(await removal).toBe(true);
  await Promise.all(others);
  expect(looks).toEqual([{ ...bounds, isRecheck: true }]);
  expect(scene.verified()).toHaveLength(7);
});

test("a recheck has what is left of the request's own budget", async () => {
  await using scene = await startScene();
  const { invitationId } = scene.organization.invite("ada@example.com");
  scene.atlas.fail({ status: 503, headers: { "Retry-After": "40" }, times: 2 });
  const { looks, recheck } = scene.look();

  const error = await rejection(
    scene.client.sendWithoutBody({ ...scene.remove(invitationId), bounds: aMinute, recheck }),
  );

  expect(error.message).toMatch(/^GET .* answered 503.* Waiting 40 s more for it is longer than/);
  expect(looks).toEqual([aMinute]);
  expect(scene.sleeps).toEqual([40_000]);
  expect(scene.organization.invitations).toHaveLength(1);
});

test("a token has what is left of the request's own budget", async () => {
  await using scene = await startTokenScene();
  scene.atlas.expireTokens();
  scene.slowToken();
  scene.slowly("DELETE", 30_000);
  const until = scene.clock.monotonic() + 80_000;

  const error = await rejection(
    scene.client.sendWithoutBody({ ...scene.remove, bounds: { deadline: until } }),
  );

  expect(error.message).toMatch(/^There is no access token .* Waiting 60 s more for it is longer than/);
  expect(scene.steps()).toEqual(["DELETE 401", "token 429"]);
  expect(scene.sleeps).toEqual([]);
});

test("a run that is cancelled sends nothing more", async () => {
  await using scene = await startScene();
  const { recheck } = scene.look();
  const sent = scene.client.fetch(
    { ...scene.create, recheck, bounds: { ...bounds, signal: AbortSignal.abort() } },
    v.unknown(),
  );

  await expect(sent).rejects.toThrow(`The run was cancelled before POST ${scene.path} was sent.`);
  expect(scene.atlas.requests).toEqual([]);
});

test.each([
  ["it waits for the throttle", { method: "POST", status: 400, body: { errorCode: "RATE_LIMITED_IP" } }],
  ["it waits for an empty bucket", { method: "POST", status: 429, headers: { "Retry-After": "55" } }],
  ["it waits to be repeated", { method: "POST", status: 503 }],
])("nobody is invited by a run that is cancelled while %s", async (_, fault) => {
  await using scene = await startScene();
  const run = new AbortController();
  scene.atlas.fail(fault);
  void scene.clock.after(250).then(() => run.abort());
  const { recheck } = scene.look();
  const invitation = { ...scene.create, invites: true, recheck, bounds: { ...bounds, signal: run.signal } };

  const error = await rejection(scene.client.fetch(invitation, v.unknown()));

  expect(error.name).toBe("AtlasError");
  expect(error.message).toContain("The run was cancelled before");
  expect(scene.verified().map(({ method }) => method)).toEqual(["POST"]);
  expect(scene.atlas.mails).toEqual([]);
});

test("nothing is sent with credentials by a run that is cancelled while they are asked for", async () => {
  await using scene = await startScene();
  const run = new AbortController();
  scene.atlas.onRequest((_, stage) => {
    if (stage === "handled") run.abort();
  });

  const sent = scene.client.fetch(
    { ...scene.create, bounds: { ...bounds, signal: run.signal } },
    v.unknown(),
  );

  await expect(sent).rejects.toThrow("The run was cancelled before");
  expect(scene.steps()).toEqual(["POST 401 challenge"]);
});

test("no token is asked for by a run that is cancelled", async () => {
  await using scene = await startTokenScene();
  const run = new AbortController();
  scene.atlas.expireTokens();
  scene.atlas.onRequest((_, stage) => {
    if (stage === "handled") run.abort();
  });

  const sent = scene.client.sendWithoutBody({ ...scene.remove, bounds: { ...bounds, signal: run.signal } });

  await expect(sent).rejects.toThrow("The run was cancelled before POST /api/oauth/token was sent.");
  expect(scene.steps()).toEqual(["DELETE 401"]);
});

test("a DELETE whose answer was lost is sent again", async () => {
  await using scene = await startScene();
  const { invitationId } = scene.organization.invite("ada@example.com");
  scene.atlas.fail({ cut: "after" });

  const error = await rejection(scene.client.sendWithoutBody(scene.remove(invitationId)));

  // Whoever asked knows what that means.
  expect(error).toMatchObject({ status: 400, errorCode: "INVALID_INVITATION_ID" });
  expect(scene.verified()).toHaveLength(2);
});

test("a POST that never left is sent again", async () => {
  await using scene = await startScene();
  const { port } = new URL(scene.atlas.url);
  const details = { code: "EAI_AGAIN", syscall: "getaddrinfo" };
  const refused = Object.assign(new Error("getaddrinfo EAI_AGAIN"), details);
  type Found = (error: Error | null, all?: { address: string; family: number }[]) => void;
  const lookup = vi.spyOn(dns, "lookup");
  const resolved = (_host: string, _options: object, found: Found) =>
    lookup.mock.calls.length === 1 ? found(refused) : found(null, [{ address: "127.0.0.1", family: 4 }]);
  lookup.mockImplementation(resolved as never);

  const client = scene.connected({ transport: { baseUrl: `http://atlas.test:${port}` } });
  await client.fetch(scene.create, v.object({ id: v.string() }));
  lookup.mockRestore();

  expect(scene.sleeps).toEqual([250]);
  expect(scene.atlas.mails).toHaveLength(1);
});

test.each([
  ["a connection that is cut", { cut: "before" }, "failed: "],
  ["an answer that does not come in time", { hang: "before" }, "no complete answer within 0.1 s"],
  ["an answer that does not end in time", { damage: "long length" }, "no complete answer within 0.1 s"],
  ["an answer that breaks off", { damage: "half body" }, "the answer, status 401, broke off: "],
] as const)("%s six times is an error that says so", async (_, fault, reason) => {
  await using scene = await startScene();
  scene.atlas.fail({ ...fault, authenticated: "either", times: 6 });
  const isSlow = reason.includes("0.1 s");
  const client = scene.connected({ transport: { requestTimeoutMs: isSlow ? 100 : 60_000 } });

  const error = await rejection(client.fetch(scene.list, Invitations));

  expect(error).toBeInstanceOf(AtlasNetworkError);
  expect(error).toMatchObject({ method: "GET", path: scene.path, sent: true });
  expect(error.message).toContain(reason);
  expect(error.message).toMatch(/\. Tried 6 times\.$/);
  expect(scene.sleeps).toEqual([250, 500, 1000, 2000, 4000]);
});

test("an answer that its length cuts short is an error that says so", async () => {
  await using scene = await startScene();
  scene.organization.invite("ada@example.com");
  scene.atlas.fail({ damage: "short length" });

  const error = await rejection(scene.client.fetch(scene.list, Invitations));

  expect(error).toBeInstanceOf(AtlasApiError);
  expect(error.message).toContain("answered 200: ");
  expect(error.message).toContain("it holds something that is not whole JSON");
});

test.each([
  ["is unavailable", { status: 502 }, 6],
  ["refuses a connection each time", { cut: "before" }, 6],
  ["is limited for longer than allowed", { status: 429, headers: { "Retry-After": "7200" } }, 1],
] as const)(
  "what needs a token fails when the token's endpoint %s, and asks no more",
  async (_, fault, asked) => {
    await using scene = await startScene();
    const account = scene.atlas.addServiceAccount({ organization: scene.organization });
    const auth = new ServiceAccountAuth(account, (auth) => scene.connected({ auth }), scene.clock);
    scene.atlas.fail({ ...fault, path: /oauth/, authenticated: "either", times: Number.POSITIVE_INFINITY });

    const error = await rejection(scene.connected({ auth }).fetch(scene.list, Invitations));

    expect(error.message).toContain("/api/oauth/token");
    expect(error.message.match(/Tried/g) ?? []).toHaveLength(asked === 6 ? 1 : 0);
    expect(scene.atlas.requests).toHaveLength(asked);
  },
);

test("a form is sent as one, with fixed credentials", async () => {
  await using scene = await startScene();
  const { clientId, clientSecret } = scene.atlas.addServiceAccount({ organization: scene.organization });
  const auth = new StaticAuth(`Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString("base64")}`);
  const request: AtlasRequest = {
    method: "POST",
    path: "/api/oauth/token",
    mediaType: "application/json",
    subject: "a token",
    bounds,
    form: { grant_type: "client_credentials" },
  };

  const answer = await scene.connected({ auth }).fetch(request, v.object({ access_token: v.string() }));

  expect(scene.atlas.tokens.map(({ token }) => token)).toEqual([answer.access_token]);
  expect(scene.atlas.requests).toMatchObject([
    {
      method: "POST",
      accept: "application/json",
      contentType: "application/x-www-form-urlencoded",
      status: 200,
    },
  ]);
});

test("an error in the words of OAuth is told in them", async () => {
  await using scene = await startScene();
  const body = { error: "invalid_client", error_description: "Invalid credentials provided." };
  scene.atlas.fail({ status: 400, body });

  const error = await rejection(scene.client.fetch(scene.list, Invitations));

  expect(error).toMatchObject({ errorCode: "invalid_client", detail: "Invalid credentials provided." });
});

test("each request is told in a line, where that is asked for, without headers and bodies", async () => {
  await using scene = await startScene();
  scene.atlas.fail({ status: 502 });
  scene.atlas.fail({ cut: "before" });
  const lines: string[] = [];
  const client = scene.connected({ debug: (line) => lines.push(line) });
  // Each takes its time, the challenge as well.
  scene.atlas.onRequest((_, stage) => {
    if (stage === "arrived") void scene.clock.sleep(20);
  });

  await client.fetch(scene.list, Invitations);
  await rejection(client.sendWithoutBody(scene.remove("1")));

  expect(lines).toEqual([
    `GET ${scene.path} 502 40 ms, try 1`,
    `GET ${scene.path} no answer 20 ms, try 2`,
    `GET ${scene.path} 200 20 ms, try 3`,
    `DELETE ${scene.path}/1 400 20 ms, try 1`,
  ]);
});

test("no error holds a header, a body or a credential", async () => {
  await using scene = await startScene();
  const secrets: [what: string, text: string][] = [
    ["the private key", scene.key.privateKey],
    ["the body of the request", canary],
    ["the body of the answer", "canary-of-the-answer"],
    ["a header of the answer", "canary-of-a-header"],
    ["a header of the request", "cnonce"],
    ["a header of the request", "Digest username"],
  ];
  const headers = {
    "X-Canary": "canary-of-a-header",
    "WWW-Authenticate": 'Digest nonce="canary-of-a-header"',
  };
  const Created = v.object({ id: v.string(), canary: v.number() });
  const answer = (status: number, body: unknown) => () =>
    scene.atlas.fail({ status, body, headers, times: 2 });
  const failures = [
    answer(200, { id: "1", canary: "canary-of-the-answer" }),
    answer(200, '"canary-of-the-answer"'),
    answer(200, "canary-of-the-answer"),
    answer(200, '["canary-of-the-answer"'),
    answer(302, "canary-of-the-answer"),
    answer(401, { errorCode: null, body: "canary-of-the-answer" }),
    answer(403, { detail: "No.", body: "canary-of-the-answer" }),
    answer(500, "<html>canary-of-the-answer</html>"),
    answer(502, "<html>canary-of-the-answer</html>"),
    () => scene.atlas.fail({ cut: "before", times: 6 }),
    () => scene.atlas.fail({ damage: "half body", times: 6 }),
    () => scene.atlas.fail({ hang: "before", times: 6 }),
  ];

  for (const fail of failures) {
    const fault = fail();
    const client = scene.connected({ transport: { requestTimeoutMs: 300 } });
    const error = await rejection(client.fetch(scene.create, Created));
    fault.lift();

    const shown = [
      inspect(error, { depth: null, showHidden: true, getters: true }),
      JSON.stringify(error),
      JSON.stringify(Object.getOwnPropertyDescriptors(error)),
      error.stack,
      String(error),
    ].join("\n");
    expect(["AtlasApiError", "AtlasNetworkError"]).toContain(error.name);
    expect(error.cause).toBeUndefined();
    for (const [what, secret] of secrets) expect(shown, what).not.toContain(secret);
  }
});
