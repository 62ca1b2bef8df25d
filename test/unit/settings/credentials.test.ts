import { expect, test } from "vitest";
import { type Credentials, resolveCredentials } from "../../../provider/settings/credentials.ts";
import { rejectionOf, sourcesOf, type Values } from "./settings-fixture.ts";

interface Origin {
  kind: Credentials["kind"];
  names: [string, string?];
}

// In the order in which they are read.
const ORIGINS: Origin[] = [
  { kind: "accessToken", names: ["MONGODB_ATLAS_ACCESS_TOKEN"] },
  { kind: "accessToken", names: ["cfg:accessToken"] },
  { kind: "serviceAccount", names: ["MONGODB_ATLAS_CLIENT_ID", "MONGODB_ATLAS_CLIENT_SECRET"] },
  { kind: "serviceAccount", names: ["cfg:clientId", "cfg:clientSecret"] },
  { kind: "apiKey", names: ["MONGODB_ATLAS_PUBLIC_KEY", "MONGODB_ATLAS_PRIVATE_KEY"] },
  { kind: "apiKey", names: ["MONGODB_ATLAS_PUBLIC_API_KEY", "MONGODB_ATLAS_PRIVATE_API_KEY"] },
  { kind: "apiKey", names: ["MCLI_PUBLIC_API_KEY", "MCLI_PRIVATE_API_KEY"] },
  { kind: "apiKey", names: ["cfg:publicKey", "cfg:privateKey"] },
];
const isConfiguration = ({ names: [name] }: Origin) => name.startsWith("cfg:");
const PAIRS = ORIGINS.flatMap(({ names: [first, second] }) => (second ? [[first, second] as const] : []));

const placeOf = (name: string) => (name.startsWith("cfg:") ? "the configuration" : "the environment");
const resolve = (values: Values) => resolveCredentials(sourcesOf(values));
const resolveConfigurationFirst = (values: Values) => resolveCredentials(sourcesOf(values, "configuration"));

/** All settings of one origin, and the credentials that they are. */
function full({ kind, names: [first, second] }: Origin, label = ""): [Values, Credentials] {
  const [one, two] = [`one${label}`, `two${label}`];
  const fields = {
    accessToken: { accessToken: one },
    serviceAccount: { clientId: one, clientSecret: two },
    apiKey: { publicKey: one, privateKey: two },
  };
  const source = `${placeOf(first)} (${second ? `${first} and ${second}` : first})`;
  const values = { [first]: one, ...(second && { [second]: two }) };
  return [values, { kind, ...fields[kind], source } as Credentials];
}

test.each(ORIGINS)("$kind is read from $names", (origin) => {
  const [values, credentials] = full(origin);
  expect(resolve(values)).toEqual(credentials);
});

test("an access token precedes a service account, and that an API key, each from the environment first", () => {
  let all: Values = {};
  for (const [index, origin] of [...ORIGINS.entries()].reverse()) {
    const [values, credentials] = full(origin, String(index));
    all = { ...all, ...values };
    expect(resolve(all)).toEqual(credentials);
  }
});

test("a configuration that is read first decides alone, whatever its kind of credentials", () => {
  const environment = Object.assign(
    {},
    ...ORIGINS.filter((origin) => !isConfiguration(origin)).map((origin) => full(origin, "OfEnvironment")[0]),
  );
  for (const origin of ORIGINS.filter(isConfiguration)) {
    const [values, credentials] = full(origin);
    expect(resolveConfigurationFirst({ ...environment, ...values })).toEqual(credentials);
  }
  expect(resolveConfigurationFirst({ ...environment, "cfg:baseUrl": "any" })).toMatchObject({
    accessToken: "oneOfEnvironment",
  });
});

test.each(PAIRS)("half of %s and %s is an error, whatever follows in the order", (...names) => {
  const index = ORIGINS.findIndex((origin) => origin.names[0] === names[0]);
  const later = Object.assign({}, ...ORIGINS.slice(index + 1).map((origin) => full(origin)[0]));
  for (const [present, missing] of [names, [...names].reverse()] as [string, string][]) {
    for (const blank of [undefined, "", " \n"]) {
      const { kind, message } = rejectionOf(() => resolve({ ...later, [present]: "one", [missing]: blank }));
      expect(kind).toBe("incompleteCredentials");
      for (const fact of [`${present} is set in ${placeOf(present)}`, missing])
        expect(message).toContain(fact);
    }
  }
});

test("half of a pair in a configuration that is read first is an error, whatever the environment has", () => {
  const [environment] = full(ORIGINS[0] as Origin);
  const values = { ...environment, "cfg:publicKey": "one" };
  expect(rejectionOf(() => resolveConfigurationFirst(values)).kind).toBe("incompleteCredentials");
});

test("halves of two origins are never combined", () => {
  for (const [first] of PAIRS) {
    for (const [, second] of PAIRS.filter(([other]) => other !== first)) {
      const { kind } = rejectionOf(() => resolve({ [first]: "one", [second]: "two" }));
      expect(kind).toBe("incompleteCredentials");
    }
  }
});

test("no credentials at all are an error that names those of the environment", () => {
  const { kind, message } = rejectionOf(() => resolve({}));
  expect(kind).toBe("noCredentials");
  for (const name of [...(ORIGINS[2]?.names ?? []), ...(ORIGINS[4]?.names ?? [])]) {
    expect(message).toContain(name);
  }
});

test.each<[name: string, others: Values]>([
  ["MONGODB_ATLAS_ACCESS_TOKEN", {}],
  ["MONGODB_ATLAS_CLIENT_ID", { MONGODB_ATLAS_CLIENT_SECRET: "two" }],
  ["MONGODB_ATLAS_PUBLIC_KEY", { MONGODB_ATLAS_PRIVATE_KEY: "two" }],
])("%s with characters that would break a header is an error that does not quote it", (name, others) => {
  for (const value of [
    'se"cret',
    "se\\cret",
    "se cret",
    "se\ncret",
    "secrät",
    "se\u0000cret",
    "se\u007fcret",
  ]) {
    const { kind, message } = rejectionOf(() => resolve({ ...others, [name]: value }));
    expect(kind).toBe("invalidSetting");
    expect(message).toContain(`${name} in the environment`);
    expect(message).not.toContain(value);
  }
});

test("a secret half may contain any character", () => {
  const secret = 'pri"v\\ate ü:key';
  const key = { MONGODB_ATLAS_PUBLIC_KEY: "one", MONGODB_ATLAS_PRIVATE_KEY: secret };
  expect(resolve(key)).toMatchObject({ privateKey: secret });
  const account = { MONGODB_ATLAS_CLIENT_ID: "one", MONGODB_ATLAS_CLIENT_SECRET: secret };
  expect(resolve(account)).toMatchObject({ clientSecret: secret });
});

test.each([
  ["MONGODB_ATLAS_PUBLIC_KEY", "MONGODB_ATLAS_PRIVATE_KEY", "MONGODB_ATLAS_CLIENT_"],
  ["cfg:publicKey", "cfg:privateKey", "cfg:client"],
])("a service account in %s is an error that says where it belongs", (publicKey, privateKey, names) => {
  for (const value of ["mdb_sa_id_0123456789abcdef01234567", "mdb_sa_sk_secret"]) {
    const { kind, message } = rejectionOf(() => resolve({ [publicKey]: value, [privateKey]: "two" }));
    expect(kind).toBe("invalidSetting");
    expect(message.split(names)).toHaveLength(3);
    expect(message).not.toContain(value);
  }
});
