import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RequestLine } from "../../../../provider/atlas/client/auth.ts";
import { Transport } from "../../../../provider/atlas/client/transport.ts";
import { type ApiKey, DigestAuth } from "../../../../provider/atlas/credentials/digest-auth.ts";
import type { SimulatedAtlasOptions } from "../../../support/simulated-atlas/simulated-atlas.ts";
import { bounds, clientFixture } from "../client/client-fixture.ts";

type Authorization = string | undefined;

/** A simulated Atlas, and requests to it with an API key. */
async function digestFixture(options?: SimulatedAtlasOptions) {
  const fixture = await clientFixture(options);
  const { atlas, organization, key } = fixture;
  const transport = new Transport({ baseUrl: atlas.url });
  const target = `/api/atlas/v1.0/orgs/${organization.id}/invites`;
  const list = { method: "GET", target, bounds };
  /** The Authorization header of each request. */
  const sent: Authorization[] = [];
  const sendOnce = (authorization: Authorization, { method, target } = list) => {
    sent.push(authorization);
    return transport.send({ method, target, headers: authorization ? { authorization } : {} });
  };
  const auth = new DigestAuth(key);
  return {
    ...fixture,
    list,
    sent,
    sendOnce,
    auth,
    /** The status of a request. */
    send: async (changes: Partial<RequestLine> = {}, by = auth) => {
      const request = { ...list, ...changes };
      return (await by.send(request, (authorization) => sendOnce(authorization, request))).status;
    },
    challenges: () => atlas.requests.filter(({ challenge }) => challenge).length,
    log: () => atlas.log().map((line) => line.replace(/^GET \S+ /, "")),
  };
}

/** The parameters of an Authorization header. */
function parametersOf(authorization: Authorization): Record<string, string> {
  const pairs = (authorization ?? "").matchAll(/(\w+)=(?:"([^"]*)"|([^,]*))/g);
  return Object.fromEntries([...pairs].map(([, name, quoted, bare]) => [name, quoted ?? bare]));
}

/** The values of one parameter in the headers that carry credentials. */
const valuesOf = (sent: Authorization[], name: string) =>
  sent.filter((header) => header !== undefined).map((header) => parametersOf(header)[name]);

describe("digest authentication", () => {
  test.each([
    ["reusable", "one after the other", 18, 1],
    ["reusable", "at once", 60, 1],
    ["once", "one after the other", 2, 2],
    ["once", "at once", 12, 12],
  ] as const)("with a nonce that is %s: for requests %s, %i of them, %i challenges", async (...row) => {
    const [nonces, order, count, challenges] = row;
    await using fixture = await digestFixture({ nonces });

    const statuses =
      order === "at once" ? await Promise.all(Array.from({ length: count }, () => fixture.send())) : [];
    while (statuses.length < count) statuses.push(await fixture.send());

    expect(statuses).toEqual(Array(count).fill(200));
    expect(fixture.challenges()).toBe(challenges);
    // nc counts up in hexadecimal, and no nonce and nc are sent twice.
    const nc = Array.from({ length: count }, (_, index) => (index + 1).toString(16).padStart(8, "0"));
    const sent = valuesOf(fixture.sent, "nc");
    if (nonces === "reusable") expect(sent.sort()).toEqual(nc);
    else expect(sent.filter((value) => value === "00000001")).toHaveLength(count);
    // Each request has a cnonce of 128 random bits.
    const cnonces = valuesOf(fixture.sent, "cnonce");
    expect(new Set(cnonces).size).toBe(cnonces.length);
    for (const cnonce of cnonces) expect(cnonce).toMatch(/^[0-9a-f]{32}$/);
  });

  test("replaces a nonce that has expired, also before its first use, and reuses the next one", async () => {
    await using fixture = await digestFixture();
    fixture.onNext("handled", () => fixture.clock.pass(60_001));

    await fixture.send();
    fixture.clock.pass(60_001);
    for (const _ of Array(2)) await fixture.send();

    const first = ["401 challenge", "401 challenge", "200"];
    expect(fixture.log()).toEqual([...first, "401 challenge", "200", "200"]);
    expect(valuesOf(fixture.sent, "nc").slice(-2)).toEqual(["00000001", "00000002"]);
  });

  test("returns the 401 after two requests where the key is wrong", async () => {
    await using fixture = await digestFixture();
    const auth = new DigestAuth({ ...fixture.key, privateKey: "wrong" });
    const send = () => fixture.send({}, auth);

    const statuses = [await send(), ...(await Promise.all([send(), send(), send()]))];

    expect(statuses).toEqual(Array(4).fill(401));
    expect(fixture.log()).toEqual(Array(8).fill("401 challenge"));
  });

  test("keeps the nonce when a request fails on the way", async () => {
    await using fixture = await digestFixture();
    await fixture.send();
    fixture.atlas.fail({ cut: "before" });

    await expect(fixture.send()).rejects.toMatchObject({ kind: "network" });
    expect(await fixture.send()).toBe(200);

    expect(fixture.challenges()).toBe(1);
    expect(valuesOf(fixture.sent, "nc")).toEqual(["00000001", "00000002", "00000003"]);
  });
});

describe("when the first request of a burst", () => {
  test.each([
    ["is cut before the challenge", { cut: "before", authenticated: false }, 1],
    ["is cut after the challenge", { cut: "before", authenticated: true }, 2],
    ["is answered by a proxy", { status: 503, authenticated: false }, 1],
  ] as const)("%s, the others share one challenge", async (_, fault, challenges) => {
    await using fixture = await digestFixture();
    fixture.atlas.fail(fault);

    const results = await Promise.allSettled(Array.from({ length: 30 }, () => fixture.send()));

    expect(results.filter((result) => "value" in result && result.value === 200)).toHaveLength(29);
    expect(fixture.challenges()).toBe(challenges);
  });

  test("waits for a recheck, the recheck does not wait for that request", async () => {
    await using fixture = await digestFixture();

    const first = fixture.auth.send(fixture.list, async (header) => {
      if (header) expect(await fixture.send({ bounds: { ...bounds, isRecheck: true } })).toBe(200);
      return fixture.sendOnce(header);
    });
    const second = fixture.send();

    expect([await first, await second]).toMatchObject([{ status: 200 }, 200]);
    // One of the first request, and one of its recheck.
    expect(fixture.challenges()).toBe(2);
  });

  test("fails, and the next two, all others start together", async () => {
    const failures: (() => void)[] = [];
    const auth = new DigestAuth(key);
    const sendOnce = () => new Promise<never>((_, reject) => failures.push(() => reject(new Error("cut"))));
    for (const _ of Array(10)) auth.send(request, sendOnce).catch(() => {});

    for (const count of [1, 2, 3, 10]) {
      await new Promise(setImmediate);
      expect(failures).toHaveLength(count);
      failures.at(-1)?.();
    }
  });
});

// The simulated Atlas sends none of the challenges below.

const key: ApiKey = { publicKey: "publick1", privateKey: "private-1" };
const request = { method: "GET", target: "/api/atlas/v2/orgs/1/invites?pageNum=1", bounds };
const digest = 'Digest realm="r", nonce="n", qop="auth"';

/** Sends a request that gets these answers, the last one again and again. */
async function exchange(answers: { status: number; offered?: string | string[] | undefined }[], by = key) {
  const sent: Authorization[] = [];
  const { status } = await new DigestAuth(by).send(request, async (authorization) => {
    sent.push(authorization);
    if (sent.length > 10) throw new Error("It loops.");
    const { status, offered } = answers[Math.min(sent.length, answers.length) - 1] ?? { status: 500 };
    return { status, headers: { "www-authenticate": offered } };
  });
  return { status, sent };
}

test.each<[number, string | string[] | undefined]>([
  [401, undefined],
  [401, ""],
  [401, 'Bearer realm="Digest", error="invalid_token"'],
  [401, 'Digestive realm="MMS Public API", nonce="n"'],
  [401, 'XDigest realm="MMS Public API", nonce="n"'],
  [401, 'Basic realm="a, Digest realm=r, nonce=n"'],
  [401, ['Basic realm="a"', 'Bearer realm="b"']],
  [403, digest],
  [407, digest],
])("no credentials are sent after a %i that offers %j", async (status, offered) => {
  expect(await exchange([{ status, offered }])).toEqual({ status, sent: [undefined] });
});

test.each<[string, string | string[]]>([
  ["alone", digest],
  ["in other letter case", 'DIGEST Realm="r",NONCE=n,QOP=auth'],
  ["after another scheme", `Basic realm="b", ${digest}`],
  ["after a token", `Negotiate, Bearer abc==, ${digest}`],
  ["before another scheme", `${digest}, Bearer realm="b", nonce="x"`],
  ["before another Digest", `${digest}, Digest realm="s", nonce="m", algorithm=SHA-256, opaque="o"`],
  ["after a realm that looks like one", `Basic realm="\\", Digest nonce=x", ${digest}`],
  ["in the second of two headers", ['Basic realm="b"', digest]],
  ["in the first of two headers", [digest, 'Basic realm="b"']],
])("a Digest challenge is found %s", async (_, offered) => {
  const { status, sent } = await exchange([{ status: 401, offered }, { status: 200 }]);

  expect(status).toBe(200);
  expect(sent).toHaveLength(2);
  const { response, cnonce, nc, ...parameters } = parametersOf(sent[1]);
  const offeredParameters = { realm: "r", nonce: "n", qop: "auth", algorithm: "MD5" };
  expect(parameters).toEqual({ username: key.publicKey, uri: request.target, ...offeredParameters });
});

test.each([
  ["MD5", "md5", key.privateKey],
  ["SHA-256", "sha256", key.privateKey],
  ["SHA-512-256", "sha512-256", key.privateKey],
  ["SHA-256-sess", "sha256", key.privateKey],
  ["MD5", "md5", "schlüssel-🔑"],
])(
  "the response is computed as RFC 7616 says: %s (%s), private key %s",
  async (algorithm, name, privateKey) => {
    const offered = `Digest realm="a realm", nonce="n+/=", algorithm=${algorithm}, qop="auth,auth-int", opaque="op"`;
    const { sent } = await exchange([{ status: 401, offered }, { status: 200 }], { ...key, privateKey });

    const hash = (text: string) => createHash(name).update(text).digest("hex");
    const { cnonce, response, ...parameters } = parametersOf(sent[1]);
    const secret = hash(`${key.publicKey}:a realm:${privateKey}`);
    const session = algorithm.endsWith("-sess") ? hash(`${secret}:n+/=:${cnonce}`) : secret;
    expect(response).toBe(hash(`${session}:n+/=:00000001:${cnonce}:auth:${hash(`GET:${request.target}`)}`));
    expect(parameters).toMatchObject({ opaque: "op", qop: "auth", algorithm });
  },
);

test.each(["stale=true", 'stale="true"', "STALE = TRUE"])(
  "a nonce that the server rejects with %s is replaced once more",
  async (stale) => {
    const rejected = { status: 401, offered: `Digest realm="r", nonce="m", qop="auth", ${stale}` };
    const challenge = { status: 401, offered: `${digest}, stale=false` };
    const { status, sent } = await exchange([challenge, rejected, { status: 200 }]);

    expect(status).toBe(200);
    expect(valuesOf(sent, "nonce")).toEqual(["n", "m"]);
  },
);

test.each([
  ["calls every nonce stale", 3, [`${digest}, stale=true`]],
  ["offers another scheme after a Digest", 2, [digest, 'Basic realm="b"']],
  ["misprints qop, as the vendor's page does", 2, [digest.replace("qop", "op")]],
])("a server that %s gets no more than %i requests", async (_, count, offers) => {
  const { status, sent } = await exchange(offers.map((offered) => ({ status: 401, offered })));

  expect(status).toBe(401);
  expect(sent).toHaveLength(count);
});

test.each([
  `Digest ${"a=b,".repeat(5_000)}`,
  `Digest ${" ,".repeat(20_000)}x`,
  `Digest a="${"\\\\".repeat(20_000)}`,
])("a long broken challenge (%#) is parsed in linear time", async (offered) => {
  const { sent } = await exchange([{ status: 401, offered }]);

  expect(sent.length).toBeLessThanOrEqual(2);
});

test("no challenge raises another error, causes a loop, or reveals the private key", async () => {
  const parts = [
    ...["Digest ", "Basic ", "Bearer", 'realm="MMS Public API"', 'nonce="abc/+="', 'nonce=""', "realm"],
    ...["algorithm=MD5", "algorithm=SHA-512-256-sess", "algorithm=none", 'qop="auth"', 'op="auth"', "qop="],
    ...['qop="auth-int"', "stale=true", 'opaque="', ", ", '"', "\\", "="],
  ];
  const challenge = fc.oneof(
    fc.string(),
    fc.constant(`${digest}, algorithm=MD5, domain="", stale=false`),
    fc.array(fc.constantFrom(...parts)).map((parts) => parts.join("")),
  );
  const offers = fc.array(fc.option(fc.oneof(challenge, fc.array(challenge)), { nil: undefined }), {
    minLength: 1,
  });

  await fc.assert(
    fc.asyncProperty(offers, async (offers) => {
      const { status, sent } = await exchange(offers.map((offered) => ({ status: 401, offered })));

      expect(status).toBe(401);
      expect(sent.length).toBeLessThanOrEqual(3);
      for (const authorization of sent.slice(1)) {
        expect(authorization).toMatch(/^Digest username="publick1",/i);
        expect(authorization).not.toContain(key.privateKey);
      }
    }),
    { numRuns: 2_000 },
  );
});
