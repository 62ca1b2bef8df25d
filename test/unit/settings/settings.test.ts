import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AtlasConfigError } from "../../../provider/settings/atlas-config-error.ts";
import { resolveSettings, type Settings } from "../../../provider/settings/settings.ts";

type Values = Record<string, string | undefined>;

const keyInEnvironment = {
  MONGODB_ATLAS_PUBLIC_KEY: "publick1",
  MONGODB_ATLAS_PRIVATE_KEY: "private-1",
};
const keyInConfig = { "mongodbatlas:publicKey": "publick2", "mongodbatlas:privateKey": "private-2" };

function resolve(environment: Values, config: Values = {}): Settings {
  return resolveSettings(environment, (name) => config[name]);
}

/** The message of the error for these settings; it is an error of configuration. */
function refusal(environment: Values, config: Values = {}): string {
  try {
    resolve(environment, config);
  } catch (error) {
    expect(error).toBeInstanceOf(AtlasConfigError);
    return (error as Error).message;
  }
  throw new Error("The settings were accepted.");
}

/** The origin that these settings lead to. */
const originOf = (environment: Values, config: Values = {}) =>
  resolve({ ...keyInEnvironment, ...environment }, config).baseUrl;
const refusedOrigin = (environment: Values, config: Values = {}) =>
  refusal({ ...keyInEnvironment, ...environment }, config);

test("a key alone is enough: the commercial Atlas, and the v2 API", () => {
  expect(resolve(keyInEnvironment)).toEqual({
    baseUrl: "https://cloud.mongodb.com",
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

test("the stack configuration is read where the environment says nothing", () => {
  const config = {
    ...keyInConfig,
    "mongodbatlas:baseUrl": "https://atlas.example.com",
    "mongodbatlas:invitationsApi": "v1.0",
    "mongodbatlas:maxWait": "90s",
    "mongodbatlas:debug": "true",
  };

  expect(resolve({}, config)).toEqual({
    baseUrl: "https://atlas.example.com",
    invitationsApi: "v1.0",
    maxWaitMs: 90_000,
    debug: true,
    credentials: {
      kind: "apiKey",
      publicKey: "publick2",
      privateKey: "private-2",
      source: "the stack configuration (mongodbatlas:publicKey and mongodbatlas:privateKey)",
    },
  });
});

test("the environment comes before the stack configuration, setting by setting", () => {
  const environment = {
    ...keyInEnvironment,
    MONGODB_ATLAS_BASE_URL: "https://one.example.com",
    MONGODB_ATLAS_INVITATIONS_API: "users",
    MONGODB_ATLAS_MAX_WAIT: "10m",
    MONGODB_ATLAS_DEBUG: "0",
  };
  const config = {
    ...keyInConfig,
    "mongodbatlas:baseUrl": "https://two.example.com",
    "mongodbatlas:invitationsApi": "v1.0",
    "mongodbatlas:maxWait": "1s",
    "mongodbatlas:debug": "true",
  };

  const settings = resolve(environment, config);
  expect(settings).toMatchObject({
    baseUrl: "https://one.example.com",
    invitationsApi: "users",
    maxWaitMs: 600_000,
    debug: false,
  });
  expect(settings.credentials).toMatchObject({ publicKey: "publick1", privateKey: "private-1" });
});

test("what an AtlasProvider was given comes before the environment, and what it was not from there", () => {
  const environment = {
    ...keyInEnvironment,
    MONGODB_ATLAS_BASE_URL: "https://one.example.com",
    MONGODB_ATLAS_INVITATIONS_API: "users",
    MONGODB_ATLAS_MAX_WAIT: "10m",
  };
  const config = {
    "mongodbatlas:explicitProvider": "true",
    ...keyInConfig,
    "mongodbatlas:isMongodbgovCloud": "true",
    "mongodbatlas:maxWait": "1s",
  };

  const settings = resolve(environment, config);
  expect(settings).toMatchObject({
    baseUrl: "https://cloud.mongodbgov.com",
    invitationsApi: "users",
    maxWaitMs: 1000,
  });
  expect(settings.credentials).toMatchObject({ publicKey: "publick2", privateKey: "private-2" });
  const { "mongodbatlas:isMongodbgovCloud": _, ...withoutServer } = config;
  expect(resolve(environment, withoutServer).baseUrl).toBe("https://one.example.com");
});

describe("the server", () => {
  test.each([
    ["https://cloud.mongodb.com", "https://cloud.mongodb.com"],
    ["https://cloud.mongodb.com/", "https://cloud.mongodb.com"],
    [" https://cloud.mongodb.com/ \n", "https://cloud.mongodb.com"],
    ["HTTPS://Cloud.MongoDB.com", "https://cloud.mongodb.com"],
    ["https://cloud.mongodb.com:443", "https://cloud.mongodb.com"],
    ["https://cloud.mongodb.com:8443/", "https://cloud.mongodb.com:8443"],
    ["https://192.0.2.1", "https://192.0.2.1"],
    ["http://127.0.0.1:8080", "http://127.0.0.1:8080"],
    ["http://127.255.0.254:8080/", "http://127.255.0.254:8080"],
    ["http://localhost:8080", "http://localhost:8080"],
    ["http://LOCALHOST", "http://localhost"],
    ["http://[::1]:8080", "http://[::1]:8080"],
  ])("given as %j is %s", (value, origin) => {
    expect(originOf({ MONGODB_ATLAS_BASE_URL: value })).toBe(origin);
    expect(originOf({}, { "mongodbatlas:baseUrl": value })).toBe(origin);
  });

  test.each([
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
  ])("given as %s is refused, as credentials travel there", (value) => {
    expect(refusedOrigin({ MONGODB_ATLAS_BASE_URL: value })).toBe(
      "MONGODB_ATLAS_BASE_URL does not begin with https://, and credentials travel there. Give an origin, such as https://cloud.mongodb.com.",
    );
  });

  test.each(["cloud.mongodb.com", "https://", "//cloud.mongodb.com", "https://a b", "hunter2"])(
    "given as %j is refused as no URL",
    (value) => {
      expect(refusedOrigin({}, { "mongodbatlas:baseUrl": value })).toBe(
        "mongodbatlas:baseUrl is not a URL. Give an origin, such as https://cloud.mongodb.com.",
      );
    },
  );

  test.each([
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
  ])("given as %s is refused without a word of it", (value) => {
    expect(refusedOrigin({ MONGODB_ATLAS_BASE_URL: value })).toBe(
      "MONGODB_ATLAS_BASE_URL has more than a scheme, a host and a port. Give an origin, such as https://cloud.mongodb.com.",
    );
  });

  test("is the Government's where the flag says so", () => {
    expect(originOf({}, { "mongodbatlas:isMongodbgovCloud": "true" })).toBe("https://cloud.mongodbgov.com");
    expect(originOf({}, { "mongodbatlas:isMongodbgovCloud": "false" })).toBe("https://cloud.mongodb.com");
    expect(originOf({}, { "mongodbatlas:isMongodbgovCloud": " " })).toBe("https://cloud.mongodb.com");
  });

  test("may be given next to a flag that says the same, or nothing", () => {
    const government = "https://cloud.mongodbgov.com/";

    expect(
      originOf({}, { "mongodbatlas:isMongodbgovCloud": "true", "mongodbatlas:baseUrl": government }),
    ).toBe("https://cloud.mongodbgov.com");
    expect(
      originOf({}, { "mongodbatlas:isMongodbgovCloud": "false", "mongodbatlas:baseUrl": government }),
    ).toBe("https://cloud.mongodbgov.com");
  });

  test("may not contradict the flag", () => {
    const config = {
      "mongodbatlas:isMongodbgovCloud": "true",
      "mongodbatlas:baseUrl": "https://cloud.mongodb.com",
    };

    expect(refusedOrigin({}, config)).toBe(
      "mongodbatlas:isMongodbgovCloud is true, but mongodbatlas:baseUrl is another server. Remove one of them.",
    );
  });

  test("of the environment wins over the flag and over the setting", () => {
    const config = {
      "mongodbatlas:isMongodbgovCloud": "true",
      "mongodbatlas:baseUrl": "https://cloud.mongodb.com",
    };

    expect(originOf({ MONGODB_ATLAS_BASE_URL: "http://127.0.0.1:1" }, config)).toBe("http://127.0.0.1:1");
    expect(originOf({ MONGODB_ATLAS_BASE_URL: " " }, { "mongodbatlas:isMongodbgovCloud": "true" })).toBe(
      "https://cloud.mongodbgov.com",
    );
  });

  test.each(["yes", "TRUE", "1"])("has a flag that is true or false, and not %j", (value) => {
    expect(refusedOrigin({}, { "mongodbatlas:isMongodbgovCloud": value })).toBe(
      `mongodbatlas:isMongodbgovCloud is "${value}": set it to true or false.`,
    );
  });
});

describe("the API generation", () => {
  test.each(["v2", "v1.0", "users"])("may be %s", (generation) => {
    const environment = { ...keyInEnvironment, MONGODB_ATLAS_INVITATIONS_API: generation };

    expect(resolve(environment).invitationsApi).toBe(generation);
    expect(
      resolve(keyInEnvironment, { "mongodbatlas:invitationsApi": ` ${generation} ` }).invitationsApi,
    ).toBe(generation);
  });

  test.each(["v3", "V2", "1.0", "constructor", "__proto__"])(
    "may not be %j, and the error names the choices",
    (value) => {
      const message = refusal({ ...keyInEnvironment, MONGODB_ATLAS_INVITATIONS_API: value });

      expect(message).toContain(`MONGODB_ATLAS_INVITATIONS_API is "${value}"`);
      for (const choice of ['"v2"', '"v1.0"', '"users"']) expect(message).toContain(choice);
      expect(refusal(keyInEnvironment, { "mongodbatlas:invitationsApi": value })).toContain(
        `mongodbatlas:invitationsApi is "${value}"`,
      );
    },
  );
});

test.each([
  ["an access token", "MONGODB_ATLAS_ACCESS_TOKEN", { MONGODB_ATLAS_ACCESS_TOKEN: "token" }],
  [
    "a service account",
    "MONGODB_ATLAS_CLIENT_ID and MONGODB_ATLAS_CLIENT_SECRET",
    { MONGODB_ATLAS_CLIENT_ID: "id", MONGODB_ATLAS_CLIENT_SECRET: "secret" },
  ],
])("%s is none for the v1.0 API", (_, names, environment) => {
  expect(refusal({ ...environment, MONGODB_ATLAS_INVITATIONS_API: "v1.0" })).toBe(
    `The v1.0 API takes API keys only, but the credentials are from the environment (${names}). Set an API key instead, or the invitations API to v2.`,
  );
  for (const generation of ["v2", "users"]) {
    expect(resolve({ ...environment, MONGODB_ATLAS_INVITATIONS_API: generation }).invitationsApi).toBe(
      generation,
    );
  }
});

describe("the longest wait", () => {
  test.each([
    ["90s", 90_000],
    ["30m", 1_800_000],
    ["2h", 7_200_000],
    ["0s", 0],
    [" 5m ", 300_000],
  ])("given as %j is %i ms", (value, ms) => {
    expect(resolve({ ...keyInEnvironment, MONGODB_ATLAS_MAX_WAIT: value }).maxWaitMs).toBe(ms);
    expect(resolve(keyInEnvironment, { "mongodbatlas:maxWait": value }).maxWaitMs).toBe(ms);
  });

  test.each(["30", "m", "1.5h", "-1s", "1d", "1 h", "1h30m", "1H", "9999999s", "constructor"])(
    "given as %j is an error that shows how to say it",
    (value) => {
      expect(refusal({ ...keyInEnvironment, MONGODB_ATLAS_MAX_WAIT: value })).toBe(
        `MONGODB_ATLAS_MAX_WAIT is "${value}", which is no duration: set it to one such as 90s, 30m or 1h.`,
      );
    },
  );
});

test.each([
  ["1", true],
  ["true", true],
  ["yes", true],
  ["0", false],
  ["false", false],
  [" ", false],
])("a line for each request, asked for with %j, is %j", (value, debug) => {
  expect(resolve({ ...keyInEnvironment, MONGODB_ATLAS_DEBUG: value }).debug).toBe(debug);
  expect(resolve(keyInEnvironment, { "mongodbatlas:debug": value }).debug).toBe(debug);
});

test("settings resolve, or fail with an error of configuration that never holds a secret", () => {
  const secret = "5f0c0ffe-dead-4bee-8bad-c0de5ec4e75e";
  const anyText = fc.oneof(
    fc.string(),
    fc.constantFrom("", " ", "true", "false", "v2", "https://cloud.mongodb.com", "http://127.0.0.1:1"),
  );
  const holdingIt = fc.oneof(
    fc.constant(secret),
    fc.tuple(anyText, anyText).map(([before, after]) => before + secret + after),
  );
  const url = fc.oneof(
    anyText,
    holdingIt,
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
  const half = fc.oneof(anyText, holdingIt);
  const environments = fc.record(
    {
      MONGODB_ATLAS_PUBLIC_KEY: half,
      MONGODB_ATLAS_PRIVATE_KEY: half,
      MONGODB_ATLAS_PUBLIC_API_KEY: half,
      MONGODB_ATLAS_PRIVATE_API_KEY: half,
      MCLI_PUBLIC_API_KEY: half,
      MCLI_PRIVATE_API_KEY: half,
      MONGODB_ATLAS_CLIENT_ID: half,
      MONGODB_ATLAS_CLIENT_SECRET: half,
      MONGODB_ATLAS_ACCESS_TOKEN: half,
      MONGODB_ATLAS_BASE_URL: url,
      MONGODB_ATLAS_INVITATIONS_API: anyText,
      MONGODB_ATLAS_MAX_WAIT: anyText,
      MONGODB_ATLAS_DEBUG: anyText,
    },
    { requiredKeys: [] },
  );
  const configs = fc.record(
    {
      "mongodbatlas:publicKey": half,
      "mongodbatlas:privateKey": half,
      "mongodbatlas:baseUrl": url,
      "mongodbatlas:isMongodbgovCloud": anyText,
      "mongodbatlas:invitationsApi": anyText,
    },
    { requiredKeys: [] },
  );

  fc.assert(
    fc.property(environments, configs, fc.boolean(), (variables, config, withKey) => {
      const key = { MONGODB_ATLAS_PUBLIC_KEY: "publick1", MONGODB_ATLAS_PRIVATE_KEY: secret };
      const environment = withKey ? { ...variables, ...key } : variables;
      try {
        const { credentials, baseUrl, invitationsApi } = resolve(environment, config);
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
