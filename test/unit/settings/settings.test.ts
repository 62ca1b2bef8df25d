import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AtlasConfigError } from "../../../provider/settings/atlas-config-error.ts";
import { resolveSettings, type Settings } from "../../../provider/settings/settings.ts";
import { rejectionOf, sourcesOf, type Values } from "./settings-fixture.ts";

const key = { MONGODB_ATLAS_PUBLIC_KEY: "publick1", MONGODB_ATLAS_PRIVATE_KEY: "private-1" };
const keyInConfiguration = { "cfg:publicKey": "publick2", "cfg:privateKey": "private-2" };
const COMMERCIAL = "https://cloud.mongodb.com";
const GOVERNMENT = "https://cloud.mongodbgov.com";

/** The settings, with a key in the environment. */
const resolve = (values: Values): Settings => resolveSettings(sourcesOf({ ...key, ...values }));
const rejection = (values: Values) => rejectionOf(() => resolve(values));

/** Each setting by its name in the environment and in the configuration. */
const bothNames = (variable: string, key: string, value: string): Values[] => [
  { [variable]: value },
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
  const inEnvironment = {
    ...key,
    MONGODB_ATLAS_BASE_URL: "https://one.example.com",
    MONGODB_ATLAS_INVITATIONS_API: "users",
    MONGODB_ATLAS_MAX_WAIT: "10m",
    MONGODB_ATLAS_DEBUG: "0",
  };
  const ofEnvironment = {
    credentials: { publicKey: "publick1" },
    baseUrl: "https://one.example.com",
    invitationsApi: "users",
    maxWaitMs: 600_000,
    debug: false,
  };
  const inConfiguration = {
    ...keyInConfiguration,
    "cfg:baseUrl": "https://two.example.com",
    "cfg:invitationsApi": "v1.0",
    "cfg:maxWait": "90s",
    "cfg:debug": "true",
  };
  const ofConfiguration = {
    credentials: { publicKey: "publick2" },
    baseUrl: "https://two.example.com",
    invitationsApi: "v1.0",
    maxWaitMs: 90_000,
    debug: true,
  };

  test.each([
    ["environment", { ...inEnvironment, ...inConfiguration }, ofEnvironment],
    ["configuration", { ...inEnvironment, ...inConfiguration }, ofConfiguration],
    ["environment", inConfiguration, ofConfiguration],
    ["configuration", inEnvironment, ofEnvironment],
  ] as const)(
    "each is that of the first source that has it, with the %s first",
    (first, values, expected) => {
      expect(resolveSettings(sourcesOf(values, first))).toMatchObject(expected);
    },
  );

  test("a flag for the Government's server in the first source precedes a server in the second", () => {
    const values = { ...inEnvironment, ...keyInConfiguration, "cfg:isMongodbgovCloud": "true" };
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
    for (const values of bothNames("MONGODB_ATLAS_BASE_URL", "baseUrl", value)) {
      expect(resolve(values).baseUrl).toBe(origin);
    }
  });

  test.each([
    ...[
      "http://cloud.mongodb.com",
      "http://192.168.0.1",
      "http://10.127.0.0.1.example.com",
      "http://127.0.0.1.example.com",
      "http://localhost.example.com",
      "http://notlocalhost",
      "http://[::2]",
      "http://128.0.0.1",
      "http://0.0.0.0",
      "ftp://127.0.0.1",
      "file:///etc/passwd",
      "cloud.mongodb.com:443",
    ].map((value) => [value, "does not begin with https://"]),
    ...["cloud.mongodb.com", "https://", "//cloud.mongodb.com", "https://a b", "hunter2"].map((value) => [
      value,
      "is not a URL",
    ]),
    ...[
      "https://cloud.mongodb.com/hunter2",
      "https://cloud.mongodb.com//",
      "https://cloud.mongodb.com/?token=hunter2",
      "https://cloud.mongodb.com?hunter2",
      "https://cloud.mongodb.com/#hunter2",
      "https://hunter2@cloud.mongodb.com",
      "https://user:hunter2@cloud.mongodb.com",
      "https://:hunter2@cloud.mongodb.com",
      "http://user:hunter2@127.0.0.1",
      "https://cloud.mongodb.com\\@hunter2",
    ].map((value) => [value, "has more than a scheme, a host and a port"]),
  ] as [string, string][])("%j is an error: it %s", (value, reason) => {
    for (const values of bothNames("MONGODB_ATLAS_BASE_URL", "baseUrl", value)) {
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
    [
      "true",
      { MONGODB_ATLAS_BASE_URL: "http://127.0.0.1:1", "cfg:baseUrl": COMMERCIAL },
      "http://127.0.0.1:1",
    ],
  ])("with isMongodbgovCloud %j and %j is %s", (isMongodbgovCloud, others, baseUrl) => {
    expect(resolve({ "cfg:isMongodbgovCloud": isMongodbgovCloud, ...others }).baseUrl).toBe(baseUrl);
  });

  test("may not contradict isMongodbgovCloud", () => {
    const values = { "cfg:isMongodbgovCloud": "true", "cfg:baseUrl": COMMERCIAL };
    expect(rejection(values).kind).toBe("conflictingSettings");
  });

  test.each(["yes", "TRUE", "1"])("isMongodbgovCloud may not be %j", (value) => {
    const { kind, message } = rejection({ "cfg:isMongodbgovCloud": value });
    expect(kind).toBe("invalidSetting");
    expect(message).toContain("cfg:isMongodbgovCloud");
  });
});

test.each([
  ["v2", "v2"],
  ["v1.0", "v1.0"],
  [" users ", "users"],
])("the version of the invitations API may be %j", (value, version) => {
  for (const values of bothNames("MONGODB_ATLAS_INVITATIONS_API", "invitationsApi", value)) {
    expect(resolve(values).invitationsApi).toBe(version);
  }
});

test.each([
  ["90s", 90_000],
  ["30m", 1_800_000],
  ["2h", 7_200_000],
  ["0s", 0],
  [" 5m ", 300_000],
])("the longest wait %j is %i ms", (value, ms) => {
  for (const values of bothNames("MONGODB_ATLAS_MAX_WAIT", "maxWait", value)) {
    expect(resolve(values).maxWaitMs).toBe(ms);
  }
});

test.each([
  ["1", true],
  ["true", true],
  ["yes", true],
  ["0", false],
  ["false", false],
  [" ", false],
])("each request is shown with debug %j: %j", (value, expected) => {
  for (const values of bothNames("MONGODB_ATLAS_DEBUG", "debug", value)) {
    expect(resolve(values).debug).toBe(expected);
  }
});

test.each([
  ["MONGODB_ATLAS_INVITATIONS_API", "invitationsApi", ["v3", "V2", "1.0", "constructor", "__proto__"]],
  [
    "MONGODB_ATLAS_MAX_WAIT",
    "maxWait",
    ["30", "m", "1.5h", "-1s", "1d", "1 h", "1h30m", "1H", "9999999s", "constructor"],
  ],
])("%s or %s may not be any of %j", (variable, key, wrong) => {
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
  for (const version of ["v2", "users"]) {
    const values = { ...credentials, MONGODB_ATLAS_INVITATIONS_API: version };
    expect(resolve(values).invitationsApi).toBe(version);
  }
});

test("any settings resolve to a safe origin, or to an error without a secret", () => {
  const secret = "5f0c0ffe-dead-4bee-8bad-c0de5ec4e75e";
  const text = fc.oneof(
    fc.string(),
    fc.constantFrom("", " ", "true", "false", "v2", COMMERCIAL, "http://127.0.0.1:1"),
  );
  const withSecret = fc.oneof(
    fc.constant(secret),
    fc.tuple(text, text).map(([before, after]) => before + secret + after),
  );
  const url = fc.oneof(
    text,
    withSecret,
    fc.constantFrom(
      `https://user:${secret}@cloud.mongodb.com`,
      `http://${secret}@cloud.mongodb.com`,
      `https://cloud.mongodb.com/${secret}`,
      `http://cloud.mongodb.com/?${secret}`,
      `https://${secret}`,
      `http://${secret}/`,
      `publick1:${secret}`,
    ),
  );
  const half = fc.oneof(text, withSecret, fc.constant(`mdb_sa_id_${secret}`), fc.constant("one"));
  const settings = fc.record(
    {
      MONGODB_ATLAS_PUBLIC_KEY: half,
      MONGODB_ATLAS_PRIVATE_KEY: half,
      MONGODB_ATLAS_PUBLIC_API_KEY: half,
      MCLI_PRIVATE_API_KEY: half,
      MONGODB_ATLAS_CLIENT_ID: half,
      MONGODB_ATLAS_CLIENT_SECRET: half,
      MONGODB_ATLAS_ACCESS_TOKEN: half,
      MONGODB_ATLAS_BASE_URL: url,
      MONGODB_ATLAS_INVITATIONS_API: text,
      MONGODB_ATLAS_MAX_WAIT: text,
      MONGODB_ATLAS_DEBUG: text,
      "cfg:publicKey": half,
      "cfg:privateKey": half,
      "cfg:baseUrl": url,
      "cfg:isMongodbgovCloud": text,
      "cfg:invitationsApi": text,
    },
    { requiredKeys: [] },
  );

  const order = fc.constantFrom("environment" as const, "configuration" as const);
  fc.assert(
    fc.property(settings, fc.boolean(), order, (values, withKey, first) => {
      const secretKey = { MONGODB_ATLAS_PUBLIC_KEY: "publick1", MONGODB_ATLAS_PRIVATE_KEY: secret };
      try {
        const { credentials, baseUrl, invitationsApi } = resolveSettings(
          sourcesOf({ ...values, ...(withKey && secretKey) }, first),
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
