import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { type ApiKey, DigestAuth, type RequestLine, StaticAuth } from "../../../provider/atlas/auth.ts";
import { SimulatedAtlas, type SimulatedAtlasOptions } from "../../support/simulated-atlas/simulated-atlas.ts";

interface Seen {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

const bounds = { deadline: Number.POSITIVE_INFINITY };

/** A simulated Atlas, and requests to it that go through the credentials under test. */
async function startScene(options?: SimulatedAtlasOptions) {
  const atlas = await SimulatedAtlas.start(options);
  const organization = atlas.addOrganization();
  const key = atlas.addApiKey({ organization });
  const target = `/api/atlas/v1.0/orgs/${organization.id}/invites`;
  /** The Authorization headers that were sent, and `undefined` where there was none. */
  const sent: (string | undefined)[] = [];
  const dispatch = async (
    authorization: string | undefined,
    { method = "GET", body, ...request }: Partial<RequestLine> & { body?: unknown } = {},
  ): Promise<Seen> => {
    sent.push(authorization);
    const headers = {
      Accept: "application/json",
      ...(authorization && { Authorization: authorization }),
      ...(body !== undefined && { "Content-Type": "application/json" }),
    };
    const init = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) };
    const response = await fetch(atlas.url + (request.target ?? target), init);
    return {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      text: await response.text(),
    };
  };
  const send = (auth: DigestAuth, request: Parameters<typeof dispatch>[1] = {}): Promise<Seen> =>
    auth.send({ method: "GET", target, bounds, ...request }, (authorization) =>
      dispatch(authorization, request),
    );
  return {
    atlas,
    organization,
    key,
    target,
    sent,
    dispatch,
    send,
    auth: new DigestAuth(key),
    challenges: () => atlas.requests.filter(({ challenge }) => challenge).length,
    [Symbol.asyncDispose]: () => atlas.stop(),
  };
}

const statuses = (answers: Seen[]) => answers.map(({ status }) => status);
const times = <Item>(count: number, make: () => Item) => Array.from({ length: count }, make);

/** The parameters of an Authorization header. */
function parametersOf(authorization: string | undefined): Record<string, string> {
  const pairs = (authorization ?? "").matchAll(/(\w+)=(?:"([^"]*)"|([^,]*))/g);
  return Object.fromEntries([...pairs].map(([, name, quoted, bare]) => [name, quoted ?? bare]));
}

/** The values of one parameter in the headers that carried credentials. */
function every(sent: (string | undefined)[], name: string): (string | undefined)[] {
  return sent.filter((header) => header !== undefined).map((header) => parametersOf(header)[name]);
}

test("the first request is challenged, and the answer to the challenge is accepted", async () => {
  await using scene = await startScene();
  scene.organization.invite("ada@example.com");

  const answer = await scene.send(scene.auth);

  expect(answer.status).toBe(200);
  expect(answer.text).toContain("ada@example.com");
  expect(scene.atlas.log()).toEqual([`GET ${scene.target} 401 challenge`, `GET ${scene.target} 200`]);
  expect(scene.sent[0]).toBeUndefined();
});

test("the public key travels, the private key never does", async () => {
  await using scene = await startScene();

  await scene.send(scene.auth);

  expect(parametersOf(scene.sent[1])).toMatchObject({
    username: scene.key.publicKey,
    realm: "MMS Public API",
    uri: scene.target,
    qop: "auth",
    algorithm: "MD5",
  });
  expect(scene.sent[1]).toMatch(/^Digest /);
  expect(scene.sent.join()).not.toContain(scene.key.privateKey);
});

test("the query of a request is signed with it", async () => {
  await using scene = await startScene();
  const target = `${scene.target}?username=ada%40example.com&pretty=true`;

  expect((await scene.send(scene.auth, { target })).status).toBe(200);

  expect(every(scene.sent, "uri")).toEqual([target]);
});

test("an accepted nonce serves again, with nc counting up in hexadecimal from 1", async () => {
  await using scene = await startScene();

  for (const _ of times(18, () => 0)) await scene.send(scene.auth);

  expect(scene.challenges()).toBe(1);
  expect(scene.atlas.requests.filter(({ authenticated }) => authenticated)).toHaveLength(18);
  expect(every(scene.sent, "nc")).toEqual(
    times(18, () => 0).map((_, index) => (index + 1).toString(16).padStart(8, "0")),
  );
  expect(every(scene.sent, "nc").slice(14)).toEqual(["0000000f", "00000010", "00000011", "00000012"]);
  expect(new Set(every(scene.sent, "nonce")).size).toBe(1);
});

test("many requests at once share one challenge, each with an nc of its own", async () => {
  await using scene = await startScene();

  const answers = await Promise.all(times(30, () => scene.send(scene.auth)));

  expect(new Set(statuses(answers))).toEqual(new Set([200]));
  expect(scene.challenges()).toBe(1);
  expect(scene.atlas.requests).toHaveLength(31);
  expect(new Set(every(scene.sent, "nc")).size).toBe(30);

  scene.atlas.forget();
  await Promise.all(times(30, () => scene.send(scene.auth)));
  expect(scene.challenges()).toBe(0);
  expect(new Set(every(scene.sent, "nc")).size).toBe(60);
});

test("every request has a cnonce of its own that cannot be guessed", async () => {
  await using scene = await startScene();

  await Promise.all(times(20, () => scene.send(scene.auth)));

  const cnonces = every(scene.sent, "cnonce");
  expect(new Set(cnonces).size).toBe(20);
  // 128 bits.
  for (const cnonce of cnonces) expect(cnonce).toMatch(/^[0-9a-f]{32}$/);
});

test("where a nonce serves only once, every request costs exactly one challenge", async () => {
  await using scene = await startScene({ nonces: "once" });

  for (const count of [1, 2, 3]) {
    expect((await scene.send(scene.auth)).status).toBe(200);
    expect(scene.challenges()).toBe(count);
    expect(scene.atlas.requests).toHaveLength(2 * count);
  }
});

test("where a nonce serves only once, many requests at once succeed at one challenge each", async () => {
  await using scene = await startScene({ nonces: "once" });

  const answers = await Promise.all(times(12, () => scene.send(scene.auth)));

  expect(new Set(statuses(answers))).toEqual(new Set([200]));
  expect(scene.challenges()).toBe(12);
  expect(scene.atlas.requests).toHaveLength(24);
});

test("a nonce that aged out costs one more challenge, and the next one serves on", async () => {
  let now = 0;
  await using scene = await startScene({ now: () => now });
  await scene.send(scene.auth);
  now = 60_001;
  scene.atlas.forget();

  expect((await scene.send(scene.auth)).status).toBe(200);
  expect((await scene.send(scene.auth)).status).toBe(200);

  expect(scene.atlas.log()).toEqual([
    `GET ${scene.target} 401 challenge`,
    `GET ${scene.target} 200`,
    `GET ${scene.target} 200`,
  ]);
  expect(every(scene.sent, "nc").slice(-2)).toEqual(["00000001", "00000002"]);
});

test("a nonce that aged out before its first use gets one more try", async () => {
  let now = 0;
  await using scene = await startScene({ now: () => now });
  let release = () => {};
  const until = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { struck } = scene.atlas.fail({ authenticated: false, until, when: "after" });

  const answer = scene.send(scene.auth);
  await struck;
  now = 60_001;
  release();

  expect((await answer).status).toBe(200);
  expect(scene.atlas.log()).toEqual([
    `GET ${scene.target} 401 challenge`,
    `GET ${scene.target} 401 challenge`,
    `GET ${scene.target} 200`,
  ]);
});

test("a wrong key costs two requests, and the last answer is the refusal", async () => {
  await using scene = await startScene();
  const auth = new DigestAuth({ ...scene.key, privateKey: "wrong" });

  for (const count of [1, 2, 3]) {
    const answer = await scene.send(auth);

    expect(answer.status).toBe(401);
    expect(answer.text).toContain("You are not authorized for this resource.");
    expect(scene.atlas.log()).toEqual(times(2 * count, () => `GET ${scene.target} 401 challenge`));
  }
});

test("a wrong key costs two requests each where many start at once", async () => {
  await using scene = await startScene();
  const auth = new DigestAuth({ ...scene.key, publicKey: "nobodyxx" });

  const answers = await Promise.all(times(6, () => scene.send(auth)));

  expect(new Set(statuses(answers))).toEqual(new Set([401]));
  expect(scene.atlas.requests).toHaveLength(12);
});

test("a refusal of the request itself is no reason to ask for another challenge", async () => {
  await using scene = await startScene();
  const auth = new DigestAuth(
    scene.atlas.addApiKey({ organization: scene.organization, roles: ["ORG_MEMBER"] }),
  );

  const answers = [await scene.send(auth), await scene.send(auth)];

  expect(statuses(answers)).toEqual([401, 401]);
  expect(answers[1]?.text).toContain("NOT_ORG_OWNER");
  expect(scene.challenges()).toBe(1);
  expect(scene.atlas.requests).toHaveLength(3);
});

test("a body is sent again with the answer to the challenge", async () => {
  await using scene = await startScene();
  const body = { username: "ada@example.com", roles: ["ORG_MEMBER"] };

  expect((await scene.send(scene.auth, { method: "POST", body })).status).toBe(200);

  expect(scene.atlas.requests).toMatchObject([
    { method: "POST", body, status: 401, authenticated: false },
    { method: "POST", body, status: 200, authenticated: true },
  ]);
  expect(scene.atlas.mails).toHaveLength(1);
});

test("a first request that fails does not hold the others back", async () => {
  await using scene = await startScene();
  scene.atlas.fail({ cut: "before", authenticated: false });

  const results = await Promise.allSettled(times(5, () => scene.send(scene.auth)));

  expect(results.map(({ status }) => status)).toEqual(["rejected", ...times(4, () => "fulfilled")]);
  expect(scene.atlas.requests.filter(({ status }) => status === 200)).toHaveLength(4);
});

test.each([
  ["is cut before the challenge", { cut: "before" as const, authenticated: false }],
  ["is cut after the challenge", { cut: "before" as const, authenticated: true }],
  ["is answered by a proxy", { status: 503, authenticated: false }],
])("when the first request of a burst %s, the others share one challenge", async (_, fault) => {
  await using scene = await startScene();
  scene.atlas.fail(fault);

  const results = await Promise.allSettled(times(30, () => scene.send(scene.auth)));

  const succeeded = results.filter((result) => result.status === "fulfilled" && result.value.status === 200);
  expect(succeeded).toHaveLength(29);
  expect(scene.challenges()).toBe("status" in fault || !fault.authenticated ? 1 : 2);
});

test("requests do not wait for one first request after the other where each of them fails", async () => {
  const dispatched: (() => void)[] = [];
  const auth = new DigestAuth(key);
  const send = () =>
    auth.send(
      request,
      () => new Promise<Seen>((_, reject) => dispatched.push(() => reject(new Error("cut")))),
    );
  const results = times(10, () => send().catch(() => "failed"));

  for (const count of [1, 2, 3]) {
    await new Promise(setImmediate);
    expect(dispatched).toHaveLength(count);
    dispatched.at(-1)?.();
  }
  await new Promise(setImmediate);
  expect(dispatched).toHaveLength(10);
  for (const fail of dispatched) fail();

  expect(await Promise.all(results)).toEqual(times(10, () => "failed"));
});

test("a recheck that the first request of a burst waits for does not wait for that request", async () => {
  await using scene = await startScene();
  const rechecks: Seen[] = [];
  const target = { method: "GET", target: scene.target, bounds };

  const first = scene.auth.send(target, async (authorization) => {
    if (authorization) {
      rechecks.push(await scene.send(scene.auth, { bounds: { ...bounds, isRecheck: true } }));
    }
    return scene.dispatch(authorization);
  });
  const others = times(5, () => scene.send(scene.auth));

  expect((await first).status).toBe(200);
  expect(statuses(rechecks)).toEqual([200]);
  expect(statuses(await Promise.all(others))).toEqual(times(5, () => 200));
  // One of the first request, and one of its recheck.
  expect(scene.challenges()).toBe(2);
});

test("after a first request that failed, the next ones share one challenge", async () => {
  await using scene = await startScene();
  scene.atlas.fail({ cut: "before", authenticated: false });
  await expect(scene.send(scene.auth)).rejects.toThrow("fetch failed");

  await Promise.all(times(5, () => scene.send(scene.auth)));

  expect(scene.challenges()).toBe(1);
});

test("a request that fails on its way leaves the nonce to the next", async () => {
  await using scene = await startScene();
  await scene.send(scene.auth);
  scene.atlas.fail({ cut: "before" });

  await expect(scene.send(scene.auth)).rejects.toThrow("fetch failed");
  expect((await scene.send(scene.auth)).status).toBe(200);

  expect(scene.challenges()).toBe(1);
  expect(every(scene.sent, "nc")).toEqual(["00000001", "00000002", "00000003"]);
});

test("the misprinted challenge of the vendor's page is answered once, and is no reason to crash", async () => {
  await using scene = await startScene();
  const challenge =
    'Digest realm="MMS Public API", domain="", nonce="NKZCs/pFp2ZnYkx4NQbWf3gAzUW7Sxmj", algorithm=MD5, op="auth", stale=false';
  scene.atlas.fail({ authenticated: false, status: 401, headers: { "WWW-Authenticate": challenge } });

  expect((await scene.send(scene.auth)).status).toBe(401);

  expect(parametersOf(scene.sent[1])).toMatchObject({ nonce: "NKZCs/pFp2ZnYkx4NQbWf3gAzUW7Sxmj" });
  expect(scene.atlas.requests).toHaveLength(2);
  expect((await scene.send(scene.auth)).status).toBe(200);
});

// What follows is about challenges that the simulated Atlas never sends, so that they are given here.

const key: ApiKey = { publicKey: "publick1", privateKey: "private-1" };
const request = { method: "GET", target: "/api/atlas/v2/orgs/1/invites?pageNum=1", bounds };

/** Answers each request as given, and the last answer for ever; says what was sent. */
async function exchange(...answers: { status: number; offered?: string | string[] }[]) {
  const sent: (string | undefined)[] = [];
  const { status } = await new DigestAuth(key).send(request, async (authorization) => {
    sent.push(authorization);
    if (sent.length > 10) throw new Error("It loops.");
    const { status, offered } = answers[Math.min(sent.length, answers.length) - 1] ?? { status: 500 };
    return { status, headers: { "www-authenticate": offered } };
  });
  return { status, sent };
}

test.each([
  ["nothing", undefined],
  ["Basic", 'Basic realm="MMS Public API"'],
  ["Bearer", 'Bearer realm="Digest", error="invalid_token"'],
  ["Negotiate", "Negotiate"],
  ["a scheme whose name only begins alike", 'Digestive realm="MMS Public API", nonce="n"'],
  ["a scheme whose name only ends alike", 'XDigest realm="MMS Public API", nonce="n"'],
  ["the word Digest inside a realm", 'Basic realm="use Digest realm=x"'],
  ["a challenge inside a realm", 'Basic realm="a, Digest realm=r, nonce=n"'],
  ["an empty header", ""],
  ["two that are not Digest", ['Basic realm="a"', 'Bearer realm="b"']],
])("a 401 that offers %s is returned, and no credentials are sent", async (_, offered) => {
  const { status, sent } = await exchange({ status: 401, ...(offered !== undefined && { offered }) });

  expect(status).toBe(401);
  expect(sent).toEqual([undefined]);
});

test.each([400, 403, 407, 500])("a challenge with status %i is none", async (status) => {
  const offered = 'Digest realm="r", nonce="n", qop="auth"';

  expect(await exchange({ status, offered })).toEqual({ status, sent: [undefined] });
});

test.each<[string, string | string[]]>([
  ["alone", 'Digest realm="r", nonce="n", qop="auth"'],
  ["in other letter case", 'DIGEST Realm="r",NONCE=n,QOP=auth'],
  ["after another scheme", 'Basic realm="b", Digest realm="r", nonce="n", qop="auth"'],
  ["after a token", 'Negotiate, Bearer abc==, Digest realm="r", nonce="n", qop="auth"'],
  ["before another scheme", 'Digest realm="r", nonce="n", qop="auth", Bearer realm="b", nonce="x"'],
  ["between others", 'Basic realm="b", Digest nonce="n", qop="auth", realm="r", Bearer realm="b"'],
  [
    "after a realm that reads like one",
    'Basic realm="\\", Digest nonce=x", Digest nonce="n", qop="auth", realm="r"',
  ],
  ["in a header of its own", ['Basic realm="b"', 'Digest realm="r", nonce="n", qop="auth"']],
  ["in the first of several headers", ['Digest realm="r", nonce="n", qop="auth"', 'Basic realm="b"']],
])("a Digest challenge is found %s", async (_, offered) => {
  const { status, sent } = await exchange({ status: 401, offered }, { status: 200 });

  expect(status).toBe(200);
  expect(sent).toHaveLength(2);
  expect(sent[1]).toMatch(/^digest /i);
  expect(parametersOf(sent[1])).toMatchObject({ realm: "r", nonce: "n", qop: "auth", uri: request.target });
});

test("what one challenge leaves out is not taken from the next", async () => {
  const offered =
    'Digest realm="r", nonce="n", qop="auth", Digest realm="s", nonce="m", algorithm=SHA-256, opaque="o"';
  const { sent } = await exchange({ status: 401, offered }, { status: 200 });

  const { realm, nonce, algorithm, opaque } = parametersOf(sent[1]);
  expect({ realm, nonce, algorithm, opaque }).toEqual({ realm: "r", nonce: "n", algorithm: "MD5" });
});

test.each([
  ["MD5", "md5"],
  ["SHA-256", "sha256"],
  ["SHA-512-256", "sha512-256"],
])("the response is computed with %s where the challenge names it", async (algorithm, name) => {
  const offered = `Digest realm="a realm", nonce="n+/=", algorithm=${algorithm}, qop="auth,auth-int", opaque="op"`;
  const { sent } = await exchange({ status: 401, offered }, { status: 200 });

  const hash = (text: string) => createHash(name).update(text).digest("hex");
  const { cnonce, ...parameters } = parametersOf(sent[1]);
  const secret = hash(`${key.publicKey}:a realm:${key.privateKey}`);
  const response = hash(`${secret}:n+/=:00000001:${cnonce}:auth:${hash(`GET:${request.target}`)}`);
  expect(parameters).toEqual({
    username: key.publicKey,
    realm: "a realm",
    nonce: "n+/=",
    uri: request.target,
    opaque: "op",
    qop: "auth",
    algorithm,
    response,
    nc: "00000001",
  });
});

test("a session algorithm signs the nonces into the secret", async () => {
  const offered = 'Digest realm="r", nonce="n", algorithm=SHA-256-sess, qop="auth"';
  const { sent } = await exchange({ status: 401, offered }, { status: 200 });

  const hash = (text: string) => createHash("sha256").update(text).digest("hex");
  const { cnonce, response } = parametersOf(sent[1]);
  const secret = hash(`${hash(`${key.publicKey}:r:${key.privateKey}`)}:n:${cnonce}`);
  expect(response).toBe(hash(`${secret}:n:00000001:${cnonce}:auth:${hash(`GET:${request.target}`)}`));
});

test("a private key of any characters is hashed as UTF-8", async () => {
  const privateKey = "schlüssel-🔑";
  const sent: (string | undefined)[] = [];
  await new DigestAuth({ ...key, privateKey }).send(request, async (authorization) => {
    sent.push(authorization);
    const offered = 'Digest realm="r", nonce="n", qop="auth"';
    return { status: authorization ? 200 : 401, headers: { "www-authenticate": offered } };
  });

  const hash = (text: string) => createHash("md5").update(text, "utf8").digest("hex");
  const { cnonce, response } = parametersOf(sent[1]);
  expect(response).toBe(
    hash(
      `${hash(`${key.publicKey}:r:${privateKey}`)}:n:00000001:${cnonce}:auth:${hash(`GET:${request.target}`)}`,
    ),
  );
});

const fresh = 'Digest realm="r", nonce="n", qop="auth", stale=false';

test.each(["stale=true", 'stale="true"', "stale=TRUE", "STALE = true"])(
  "a refusal with %s gets one more try, with the new nonce",
  async (stale) => {
    const { status, sent } = await exchange(
      { status: 401, offered: fresh },
      { status: 401, offered: `Digest realm="r", nonce="m", qop="auth", ${stale}` },
      { status: 200 },
    );

    expect(status).toBe(200);
    expect(every(sent, "nonce")).toEqual(["n", "m"]);
    expect(every(sent, "nc")).toEqual(["00000001", "00000001"]);
  },
);

test("a server that calls every nonce stale is asked three times", async () => {
  const offered = fresh.replace("false", "true");
  const { status, sent } = await exchange({ status: 401, offered });

  expect(status).toBe(401);
  expect(sent).toHaveLength(3);
});

test("a challenge of another scheme after a Digest is the last answer", async () => {
  const { status, sent } = await exchange(
    { status: 401, offered: fresh },
    { status: 401, offered: 'Basic realm="b"' },
  );

  expect(status).toBe(401);
  expect(sent).toHaveLength(2);
});

test.each([
  "Digest",
  "Digest ",
  "Digest ,,,",
  "Digest realm",
  'Digest realm="unfinished',
  'Digest realm="r", nonce="n", qop=',
  `Digest ${"a=b,".repeat(5_000)}`,
  `Digest ${" ,".repeat(20_000)}x`,
  `Digest a="${"\\\\".repeat(20_000)}`,
])("a broken challenge (%#) ends in an answer and at most two requests", async (offered) => {
  const { status, sent } = await exchange({ status: 401, offered });

  expect(status).toBe(401);
  expect(sent.length).toBeLessThanOrEqual(2);
});

test("fixed credentials go with the first request, and a refusal of them is the answer", async () => {
  const sent: (string | undefined)[] = [];
  const { status } = await new StaticAuth("Bearer token").send(request, async (authorization) => {
    sent.push(authorization);
    return { status: 401, headers: { "www-authenticate": fresh } };
  });

  expect(status).toBe(401);
  expect(sent).toEqual(["Bearer token"]);
});
