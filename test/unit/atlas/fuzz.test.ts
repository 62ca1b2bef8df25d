import * as fc from "fast-check";
import * as v from "valibot";
import { expect, test } from "vitest";
import { AtlasClient } from "../../../provider/atlas/atlas-client.ts";
import { DigestAuth, StaticAuth } from "../../../provider/atlas/auth.ts";
import { AtlasError } from "../../../provider/atlas/errors.ts";
import { RateLimiter } from "../../../provider/atlas/limits/rate-limiter.ts";
import type { Transport } from "../../../provider/atlas/transport.ts";
import { parseState, propertiesOf } from "../../../provider/lifecycle/stored-properties.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";

const privateKey = "canary-of-the-private-key";

/** Parts of challenges, right and wrong, in any order, and any other text. */
const challenge = fc.oneof(
  fc.string(),
  fc.constant(
    'Digest realm="MMS Public API", domain="", nonce="abc/+=", algorithm=MD5, qop="auth", stale=false',
  ),
  fc
    .array(
      fc.constantFrom(
        "Digest ",
        "Basic ",
        "Bearer",
        'realm="MMS Public API"',
        'nonce="abc/+="',
        'nonce=""',
        "algorithm=MD5",
        "algorithm=SHA-512-256-sess",
        "algorithm=none",
        'qop="auth"',
        'op="auth"',
        'qop="auth-int"',
        "stale=true",
        'opaque="',
        ", ",
        '"',
        "\\",
        "=",
      ),
    )
    .map((parts) => parts.join("")),
);

test("no challenge breaks the digest, makes it loop or gives the key away", async () => {
  const offers = fc.oneof(challenge, fc.array(challenge), fc.constant(undefined));
  await fc.assert(
    fc.asyncProperty(fc.array(offers, { minLength: 1, maxLength: 5 }), async (headers) => {
      const sent: (string | undefined)[] = [];
      const auth = new DigestAuth({ publicKey: "abcdefgh", privateKey });
      const bounds = { deadline: Number.POSITIVE_INFINITY };
      const answer = auth.send({ method: "GET", target: "/orgs", bounds }, async (authorization) => {
        sent.push(authorization);
        return { status: 401, headers: { "www-authenticate": headers[(sent.length - 1) % headers.length] } };
      });
      const failed = await answer.then(
        () => undefined,
        (error: Error) => error,
      );
      expect(failed === undefined || failed.name === "AtlasError").toBe(true);
      expect(`${failed?.message}`).not.toContain(privateKey);
      expect(sent.length).toBeLessThanOrEqual(3);
      expect(sent[0]).toBeUndefined();
      for (const authorization of sent.slice(1)) {
        expect(authorization).toMatch(/^Digest username="abcdefgh",/i);
        expect(authorization).not.toContain(privateKey);
      }
    }),
    { numRuns: 2_000 },
  );
});

test("no answer of an error breaks the client or passes for what was asked", async () => {
  const member = fc.oneof(fc.jsonValue(), fc.string());
  const body = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .record(
        { errorCode: member, detail: member, reason: member, parameters: member, error: member },
        { requiredKeys: [] },
      )
      .map((error) => JSON.stringify(error)),
  );
  const status = fc.constantFrom(300, 302, 400, 401, 402, 403, 404, 405, 409, 410, 429, 500, 502, 503, 504);
  const retryAfter = fc.oneof(
    fc.string(),
    fc.integer().map(String),
    fc.array(fc.string()),
    fc.constant(undefined),
  );
  await fc.assert(
    fc.asyncProperty(status, body, retryAfter, fc.string(), async (status, text, retryAfter, left) => {
      const clock = new SimulatedClock();
      const headers = { "retry-after": retryAfter, "ratelimit-limit": "500", "ratelimit-remaining": left };
      const client = new AtlasClient({
        transport: { send: async () => ({ status, headers, text }) } as unknown as Transport,
        rateLimiter: new RateLimiter(clock, () => {}),
        clock,
        auth: new StaticAuth("Bearer token"),
        credentialsSource: "the test",
        notify: () => {},
      });
      const bounds = { deadline: clock.monotonic() + 60_000 };
      const target = { method: "GET", path: "/orgs", mediaType: "application/json" } as const;
      const request = { ...target, subject: "it", bounds };
      const error = await clock.run(client.fetch(request, v.any()).catch((error: Error) => error));
      expect(error).toMatchObject({ message: expect.any(String) });
      expect(["AtlasApiError", "AtlasError"]).toContain((error as Error).name);
    }),
    { numRuns: 1_000 },
  );
});

test("no stored state breaks the provider, or makes it use what is no id", () => {
  const id = fc.oneof(
    fc.constantFrom("5f0000000000000000000001", "..", "", "a/b"),
    fc.string(),
    fc.jsonValue(),
  );
  const list = fc.oneof(fc.array(fc.string()), fc.jsonValue());
  const state = fc.record(
    {
      orgId: id,
      username: fc.oneof(fc.constant("ada@example.com"), fc.jsonValue()),
      roles: fc.oneof(fc.constant(["ORG_MEMBER"]), list),
      teamIds: list,
      groupRoleAssignments: fc.oneof(
        fc.array(fc.record({ groupId: fc.string(), roles: list })),
        fc.jsonValue(),
      ),
      invitationId: id,
      userId: id,
      __declared: fc.oneof(fc.record({ teamIds: list, roles: list }), fc.jsonValue()),
      __knownAs: fc.jsonValue(),
    },
    { requiredKeys: ["orgId", "username", "roles"] },
  );
  fc.assert(
    fc.property(state, (properties) => {
      let used: ReturnType<typeof parseState>;
      try {
        used = parseState(properties);
      } catch (error) {
        expect(error).toBeInstanceOf(AtlasError);
        return;
      }
      for (const id of [used.orgId, used.invitationId ?? used.orgId, used.userId ?? used.orgId]) {
        expect(id).toMatch(/^[0-9a-f]{24}$/i);
      }
      expect(parseState(propertiesOf(used))).toEqual(used);
    }),
    { numRuns: 2_000 },
  );
});
