import fc from "fast-check";
import { expect, test } from "vitest";
import { settingsSources } from "../../../provider/dynamic/settings-sources.ts";
import { AtlasConfigError } from "../../../provider/settings/atlas-config-error.ts";
import { type Credentials, resolveCredentials } from "../../../provider/settings/credentials.ts";

type Values = Record<string, string | undefined>;

const explicit = { "mongodbatlas:explicitProvider": "true" };

/** Names with a colon are of the configuration, all others of the environment. */
function resolve(values: Values): Credentials {
  const inPlace = (isConfiguration: boolean) =>
    Object.fromEntries(Object.entries(values).filter(([name]) => name.includes(":") === isConfiguration));
  const configuration = inPlace(true);
  return resolveCredentials(settingsSources(inPlace(false), (name) => configuration[name]));
}

/** The message of the error for these settings; it is an error of configuration. */
function refusal(values: Values): string {
  try {
    resolve(values);
  } catch (error) {
    expect(error).toBeInstanceOf(AtlasConfigError);
    return (error as Error).message;
  }
  throw new Error("The settings were accepted.");
}

interface Source {
  kind: Credentials["kind"];
  names: [string, string?];
}

// In the order in which they are asked.
const SOURCES: Source[] = [
  { kind: "accessToken", names: ["MONGODB_ATLAS_ACCESS_TOKEN"] },
  { kind: "accessToken", names: ["mongodbatlas:accessToken"] },
  { kind: "serviceAccount", names: ["MONGODB_ATLAS_CLIENT_ID", "MONGODB_ATLAS_CLIENT_SECRET"] },
  { kind: "serviceAccount", names: ["mongodbatlas:clientId", "mongodbatlas:clientSecret"] },
  { kind: "apiKey", names: ["MONGODB_ATLAS_PUBLIC_KEY", "MONGODB_ATLAS_PRIVATE_KEY"] },
  { kind: "apiKey", names: ["MONGODB_ATLAS_PUBLIC_API_KEY", "MONGODB_ATLAS_PRIVATE_API_KEY"] },
  { kind: "apiKey", names: ["MCLI_PUBLIC_API_KEY", "MCLI_PRIVATE_API_KEY"] },
  { kind: "apiKey", names: ["mongodbatlas:publicKey", "mongodbatlas:privateKey"] },
];
const PAIRS = SOURCES.filter(({ names }) => names.length === 2) as {
  kind: string;
  names: [string, string];
}[];

const place = (name: string) => (name.includes(":") ? "the stack configuration" : "the environment");

/** All settings of a source, and what they resolve to. */
function full({ kind, names: [first, second] }: Source, label = ""): [Values, Credentials] {
  const one = `one${label}`;
  const two = `two${label}`;
  const fields = {
    accessToken: { accessToken: one },
    serviceAccount: { clientId: one, clientSecret: two },
    apiKey: { publicKey: one, privateKey: two },
  };
  const source = `${place(first)} (${second ? `${first} and ${second}` : first})`;
  const values = { [first]: one, ...(second && { [second]: two }) };
  return [values, { kind, ...fields[kind], source } as Credentials];
}

test.each(SOURCES)("$kind is read from $names", (source) => {
  const [values, credentials] = full(source);

  expect(resolve(values)).toEqual(credentials);
});

test("an access token goes before a service account, that before an API key, each from the environment first", () => {
  let all: Values = {};
  for (const [index, source] of [...SOURCES.entries()].reverse()) {
    const [values, credentials] = full(source, String(index));
    all = { ...all, ...values };

    expect(resolve(all)).toEqual(credentials);
  }
});

test("what an AtlasProvider was given goes before everything in the environment, whatever its kind", () => {
  const environment = Object.assign(
    {},
    ...SOURCES.filter(({ names }) => !names[0].includes(":")).map((source) => full(source, "env")[0]),
  );

  for (const source of SOURCES.filter(({ names }) => names[0].includes(":"))) {
    const [values, credentials] = full(source);
    const place = credentials.source.replace("the stack configuration", "the arguments of the AtlasProvider");

    expect(resolve({ ...environment, ...values, ...explicit })).toEqual({ ...credentials, source: place });
  }
});

test("an AtlasProvider without credentials takes those of the environment", () => {
  const [values, credentials] = full(SOURCES[2] as Source);

  expect(resolve({ ...values, ...explicit })).toEqual(credentials);
});

test.each(PAIRS)("half of $names is an error, whatever comes after it", ({ names }) => {
  const index = SOURCES.findIndex((source) => source.names === names);
  const later = Object.assign({}, ...SOURCES.slice(index + 1).map((source) => full(source)[0]));

  for (const [present, missing] of [names, [...names].reverse()] as [string, string][]) {
    for (const others of [{}, later]) {
      expect(refusal({ [present]: "one", ...others })).toBe(
        `${present} is set in ${place(present)}, but ${missing} is not. Set both there, or neither.`,
      );
    }
  }
});

test("half of what an AtlasProvider was given is an error, whatever the environment has", () => {
  const [environment] = full(SOURCES[0] as Source);

  expect(refusal({ ...environment, ...explicit, "mongodbatlas:publicKey": "one" })).toBe(
    "mongodbatlas:publicKey is set in the arguments of the AtlasProvider, but mongodbatlas:privateKey is not. Set both there, or neither.",
  );
});

test("halves of two sources are never joined", () => {
  for (const one of PAIRS) {
    for (const other of PAIRS.filter((other) => other !== one)) {
      expect(refusal({ [one.names[0]]: "one", [other.names[1]]: "two" })).toMatch(
        / is set in .*, but .* is not\. Set both there, or neither\.$/,
      );
    }
  }
});

test("blank is not set", () => {
  const [values, credentials] = full(SOURCES[7] as Source);
  const blanks = Object.fromEntries(
    SOURCES.slice(0, 7).flatMap(({ names }) => names.map((name) => [name, " "])),
  );

  expect(resolve({ ...blanks, ...values })).toEqual(credentials);
  expect(refusal({ MONGODB_ATLAS_PUBLIC_KEY: "one", MONGODB_ATLAS_PRIVATE_KEY: "\n" })).toBe(
    "MONGODB_ATLAS_PUBLIC_KEY is set in the environment, but MONGODB_ATLAS_PRIVATE_KEY is not. Set both there, or neither.",
  );
});

test("none at all is an error that says where to put some", () => {
  const message = refusal({});

  expect(message).toMatch(/^There are no credentials for Atlas\./);
  for (const { names } of [SOURCES[2], SOURCES[3], SOURCES[4], SOURCES[7]] as Source[]) {
    for (const name of names) expect(message).toContain(name);
  }
});

test.each([
  ["MONGODB_ATLAS_ACCESS_TOKEN", "an access token"],
  ["MONGODB_ATLAS_CLIENT_ID", "the id of a service account"],
  ["MONGODB_ATLAS_PUBLIC_KEY", "an API public key"],
])("%s with characters that would break a header is an error, and not quoted", (name, what) => {
  const second = { MONGODB_ATLAS_CLIENT_SECRET: "two", MONGODB_ATLAS_PRIVATE_KEY: "two" };
  const own = Object.entries(second).find(
    ([other]) => other.slice(14, 16) === name.slice(14, 16).replace("PU", "PR"),
  );

  for (const value of ['a"b', "a\\b", "a b", "a\nb", "ä", "a\u0000b", "a\u007fb"]) {
    expect(refusal({ [name]: value, ...(own && { [own[0]]: own[1] }) })).toBe(
      `${name} in the environment is not ${what}: it holds characters that none has. Copy it again from Atlas, Organization Access Manager.`,
    );
  }
});

test("a secret half may hold anything", () => {
  const secret = 'pri"v\\ate ü:key';

  expect(resolve({ MONGODB_ATLAS_PUBLIC_KEY: "one", MONGODB_ATLAS_PRIVATE_KEY: secret })).toMatchObject({
    privateKey: secret,
  });
  expect(resolve({ MONGODB_ATLAS_CLIENT_ID: "one", MONGODB_ATLAS_CLIENT_SECRET: secret })).toMatchObject({
    clientSecret: secret,
  });
});

test.each(["mdb_sa_id_0123456789abcdef01234567", "mdb_sa_sk_secret"])(
  "a service account given as a public key is told where it belongs, and not quoted: %s",
  (value) => {
    const message = refusal({ "mongodbatlas:publicKey": value, "mongodbatlas:privateKey": "two" });

    expect(message).toBe(
      "mongodbatlas:publicKey in the stack configuration is the id of a service account, not the public key of an API key. Set it as MONGODB_ATLAS_CLIENT_ID or mongodbatlas:clientId, with its secret.",
    );
  },
);

test("no value is in any error or in the source, whatever is set", () => {
  const secret = "5f0c0ffe-dead-4bee-8bad-c0de5ec4e75e";
  const value = fc.oneof(
    fc.constant(secret),
    fc.constant("one"),
    fc.tuple(fc.string(), fc.string()).map(([before, after]) => before + secret + after),
    fc.constant(`mdb_sa_id_${secret}`),
  );
  const names = SOURCES.flatMap(({ names }) => names as string[]);
  const settings = fc.dictionary(fc.constantFrom(...names, ...Object.keys(explicit)), value, { maxKeys: 6 });

  fc.assert(
    fc.property(settings, (values) => {
      try {
        expect(resolve(values).source).not.toContain(secret);
      } catch (error) {
        expect(error).toBeInstanceOf(AtlasConfigError);
        expect(String(error)).not.toContain(secret);
      }
    }),
    { numRuns: 1000 },
  );
});
