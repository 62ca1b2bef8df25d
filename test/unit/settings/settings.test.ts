import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AtlasConfigError } from "../../../provider/settings/atlas-config-error.ts";
import { resolveSettings, type Settings } from "../../../provider/settings/settings.ts";
import { rejectionOf, sourcesOf, type Values } from "./settings-fixture.ts";

const key = { MONGODB_ATLAS_PUBLIC_KEY: "publick1", MONGODB_ATLAS_PRIVATE_KEY: "private-1" };
const COMMERCIAL = "https://cloud.mongodb.com";
const GOVERNMENT = "https://cloud.mongodbgov.com";

/** The settings, with a key in the environment. */
const resolve = (values: Values): Settings => resolveSettings(sourcesOf({ ...key, ...values }));
const rejection = (values: Values) => rejectionOf(() => resolve(values));

/** Each setting by its name in the environment and in the configuration. */
const bothNames = (variable: string, key: string, value: string): Values[] => [
  { [`MONGODB_ATLAS_${variable}`]: value },
  { [`cfg:${key}`]: value },
];

test("have defaults for everything but the credentials", () => {
  expect(resolve({})).toEqual({
    baseUrl: COMMERCIAL,
    invitationsApi: "v2",
    maxWaitMs: 3_600_000,
    debug: false,
    credentials: {
      kind: "apiKey",
      publicKey: "publick1",
      privateKey: "private-1",
      source: "the environment (MONGODB_ATLAS_PUBLIC_KEY and MONGODB_ATLAS_PRIVATE_KEY)",
    },
  });
});

describe("with settings in both sources", () => {
  const fromEnvironment: Values = {
    ...key,
    MONGODB_ATLAS_BASE_URL: "https://one.example",
    MONGODB_ATLAS_INVITATIONS_API: "users",
    MONGODB_ATLAS_MAX_WAIT: "10m",
    MONGODB_ATLAS_DEBUG: "0",
  };
  const fromConfiguration: Values = {
    "cfg:publicKey": "publick2",
    "cfg:privateKey": "private-2",
    "cfg:baseUrl": "https://two.example.com",
    "cfg:invitationsApi": "v1.0",
    "cfg:maxWait": "90s",
    "cfg:debug": "true",
  };
  const one = {
    baseUrl: "https://one.example",
    invitationsApi: "users",
    maxWaitMs: 600_000,
    debug: false,
  };
  const two = { baseUrl: "https://two.example.com", invitationsApi: "v1.0", maxWaitMs: 90_000, debug: true };

  test.each([
    ["environment", { ...fromEnvironment, ...fromConfiguration }, one],
    ["configuration", { ...fromEnvironment, ...fromConfiguration }, two],
    ["environment", fromConfiguration, two],
    ["configuration", fromEnvironment, one],
  ] as const)(
    "each is that of the first source that has it, with the %s first",
    (first, values, expected) => {
      expect(resolveSettings(sourcesOf(values, first))).toMatchObject(expected);
    },
  );

  test("a flag for the Government's server in the first source precedes a server in the second", () => {
    const values = { ...fromEnvironment, "cfg:isMongodbgovCloud": "true" };
    const { baseUrl, invitationsApi } = resolveSettings(sourcesOf(values, "configuration"));
    expect({ baseUrl, invitationsApi }).toEqual({ baseUrl: GOVERNMENT, invitationsApi: "users" });
  });
});

describe("the server", () => {
  test.each([
    ["https://cloud.mongodb.com", COMMERCIAL],
    [" https://cloud.mongodb.com/ \n", COMMERCIAL],
    ["HTTPS://Cloud.MongoDB.com", COMMERCIAL],
    ["https://cloud.mongodb.com:443", COMMERCIAL],
    ["https://cloud.mongodb.com:8443/", "https://cloud.mongodb.com:8443"],
    ["https://192.0.2.1", "https://192.0.2.1"],
    ["http://127.0.0.1:8080", "http://127.0.0.1:8080"],
    ["http://127.255.0.254:8080/", "http://127.255.0.254:8080"],
    ["http://localhost:8080", "http://localhost:8080"],
    ["http://LOCALHOST", "http://localhost"],
    ["http://[::1]:8080", "http://[::1]:8080"],
  ])("%j is %s", (value, origin) => {
    for (const values of bothNames("BASE_URL", "baseUrl", value)) {
      expect(resolve(values).baseUrl).toBe(origin);
    }
  });

  const insecure = "does not begin with https://";
  const tooMuch = "has more than a scheme, a host and a port";
  test.each<[reason: string, wrong: string[]]>([
    [insecure, ["http://cloud.mongodb.com", "ftp://127.0.0.1", "cloud.mongodb.com:443", "http://[::2]"]],
    [insecure, ["http://127.0.0.1.example.com", "http://10.127.0.0.1.example.com", "http://128.0.0.1"]],
    [insecure, ["http://localhost.example.com", "http://notlocalhost", "http://0.0.0.0"]],
    ["is not a URL", ["cloud.mongodb.com", "https://", "//cloud.mongodb.com", "https://a b", "hunter2"]],
    [tooMuch, ["https://cloud.mongodb.com/hunter2", "https://a.example//", "https://a.example?hunter2"]],
    [tooMuch, ["https://a.example/#hunter2", "https://hunter2@a.example", "https://:hunter2@a.example"]],
    [tooMuch, ["http://a:hunter2@127.0.0.1", "https://a.example\\@hunter2"]],
  ])("that %s is an error: %j", (reason, wrong) => {
    for (const values of wrong.flatMap((value) => bothNames("BASE_URL", "baseUrl", value))) {
      const { kind, message } = rejection(values);
      expect(kind).toBe("invalidSetting");
      expect(message).toContain(`${Object.keys(values)[0]} ${reason}`);
      expect(message).not.toContain("hunter2");
    }
  });

  test.each<[isMongodbgovCloud: string, others: Values, baseUrl: string]>([
    ["true", {}, GOVERNMENT],
    ["false", {}, COMMERCIAL],
    [" ", {}, COMMERCIAL],
    [" ", { isMongodbgovCloud: "true" }, COMMERCIAL],
    ["true", { "cfg:baseUrl": `${GOVERNMENT}/` }, GOVERNMENT],
    ["false", { "cfg:baseUrl": `${GOVERNMENT}/` }, GOVERNMENT],
    ["true", { MONGODB_ATLAS_BASE_URL: " " }, GOVERNMENT],
    ["true", { MONGODB_ATLAS_BASE_URL: "http://[::1]", "cfg:baseUrl": COMMERCIAL }, "http://[::1]"],
  ])("with isMongodbgovCloud %j and %j is %s", (isMongodbgovCloud, others, baseUrl) => {
    expect(resolve({ "cfg:isMongodbgovCloud": isMongodbgovCloud, ...others }).baseUrl).toBe(baseUrl);
  });

  test("may not contradict isMongodbgovCloud, which is true or false", () => {
    const contradiction = { "cfg:isMongodbgovCloud": "true", "cfg:baseUrl": COMMERCIAL };
    expect(rejection(contradiction).kind).toBe("conflictingSettings");
    for (const value of ["yes", "TRUE", "1"]) {
      expect(rejection({ "cfg:isMongodbgovCloud": value }).kind).toBe("invalidSetting");
    }
  });
});

test.each<[variable: string, name: string, setting: keyof Settings, values: Record<string, unknown>]>([
  ["INVITATIONS_API", "invitationsApi", "invitationsApi", { v2: "v2", "v1.0": "v1.0", " users ": "users" }],
  ["MAX_WAIT", "maxWait", "maxWaitMs", { "90s": 90_000, "30m": 1_800_000, "2h": 7_200_000, " 0s ": 0 }],
  ["DEBUG", "debug", "debug", { "1": true, true: true, yes: true, "0": false, false: false, " ": false }],
])("MONGODB_ATLAS_%s or %s sets %s: %j", (variable, name, setting, expected) => {
  for (const [value, result] of Object.entries(expected)) {
    for (const values of bothNames(variable, name, value)) expect(resolve(values)[setting]).toBe(result);
  }
});

test.each([
  ["INVITATIONS_API", "invitationsApi", ["v3", "V2", "1.0", "constructor", "__proto__"]],
  ["MAX_WAIT", "maxWait", ["30", "m", "1.5h", "-1s", "1d", "1 h", "1h30m", "1H", "9999999s", "constructor"]],
])("MONGODB_ATLAS_%s or %s may not be any of %j", (variable, key, wrong) => {
  for (const value of wrong) {
    for (const values of bothNames(variable, key, value)) {
      const { kind, message } = rejection(values);
      expect(kind).toBe("invalidSetting");
      expect(message).toContain(`${Object.keys(values)[0]} is "${value}"`);
    }
  }
});

test.each([
  [{ MONGODB_ATLAS_ACCESS_TOKEN: "token" }],
  [{ MONGODB_ATLAS_CLIENT_ID: "id", MONGODB_ATLAS_CLIENT_SECRET: "secret" }],
])("the v1.0 API may not be used with %j", (credentials) => {
  const { kind, message } = rejection({ ...credentials, MONGODB_ATLAS_INVITATIONS_API: "v1.0" });
  expect(kind).toBe("conflictingSettings");
  for (const name of Object.keys(credentials)) expect(message).toContain(name);
  const values = { ...credentials, MONGODB_ATLAS_INVITATIONS_API: "users" };
  expect(resolve(values).invitationsApi).toBe("users");
});

test("any settings resolve to a safe origin, or to an error without a secret", () => {
  const secret = "5f0c0ffe-dead-4bee-8bad-c0de5ec4e75e";
  const likely = ["", " ", "true", "false", "v2", COMMERCIAL, "http://127.0.0.1:1"];
  const text = fc.oneof(fc.string(), fc.constantFrom(...likely));
  const withSecret = fc.tuple(text, text).map(([before, after]) => before + secret + after);
  const urls = ["https://a:SECRET@b.example", "http://SECRET@b.example", "https://b.example/SECRET"];
  const others = ["https://SECRET", "http://SECRET/", "publick1:SECRET", "mdb_sa_id_SECRET", "one"];
  const usual = fc.constantFrom(...urls, ...others).map((value) => value.replace("SECRET", secret));
  const ofAtlas = (...names: string[]) => names.map((name) => `MONGODB_ATLAS_${name}`);
  const secretNames = [
    ...ofAtlas("PUBLIC_KEY", "PRIVATE_KEY", "PUBLIC_API_KEY", "CLIENT_ID", "CLIENT_SECRET", "ACCESS_TOKEN"),
    ...ofAtlas("BASE_URL"),
    ...["MCLI_PRIVATE_API_KEY", "cfg:publicKey", "cfg:privateKey", "cfg:baseUrl"],
  ];
  const otherNames = ofAtlas("INVITATIONS_API", "MAX_WAIT", "DEBUG");
  const otherKeys = ["cfg:isMongodbgovCloud", "cfg:invitationsApi"];
  const settings = fc.tuple(
    fc.dictionary(fc.constantFrom(...secretNames), fc.oneof(text, withSecret, usual)),
    fc.dictionary(fc.constantFrom(...otherNames, ...otherKeys), text),
  );

  const order = fc.constantFrom("environment" as const, "configuration" as const);
  fc.assert(
    fc.property(settings, fc.boolean(), order, ([secrets, values], withKey, first) => {
      const secretKey = { MONGODB_ATLAS_PUBLIC_KEY: "publick1", MONGODB_ATLAS_PRIVATE_KEY: secret };
      try {
        const { credentials, baseUrl, invitationsApi } = resolveSettings(
          sourcesOf({ ...secrets, ...values, ...(withKey && secretKey) }, first),
        );
        expect(credentials.source).not.toContain(secret);
        expect(baseUrl).toMatch(/^(https:\/\/[^/@]+|http:\/\/(127\.[\d.]+|localhost|\[::1\])(:\d+)?)$/);
        expect(["v2", "v1.0", "users"]).toContain(invitationsApi);
      } catch (error) {
        expect(error).toBeInstanceOf(AtlasConfigError);
        expect(inspect(error, { depth: null, showHidden: true })).not.toContain(secret);
      }
    }),
    { numRuns: 2000 },
  );
});
