import { AtlasConfigError } from "./errors.ts";

/** The API that carries the invitations: section names of the settings table in the README. */
export type InvitationsGeneration = "v2" | "v1.0" | "users";

export interface Settings {
  /** The origin of Atlas, without a trailing slash. */
  baseUrl: string;
  invitationsApi: InvitationsGeneration;
  credentials: Credentials;
}

export interface Credentials {
  publicKey: string;
  privateKey: string;
  /** Where the key was read, for error messages: names of variables or of settings, never values. */
  source: string;
}

/** Reads one value of the stack configuration, by its full name. */
export type StackConfig = (name: string) => string | undefined;

type Environment = Record<string, string | undefined>;

interface Setting {
  name: string;
  value: string;
}

const PUBLIC_KEY = ["MONGODB_ATLAS_PUBLIC_KEY", "MONGODB_ATLAS_PUBLIC_API_KEY", "MCLI_PUBLIC_API_KEY"];
const PRIVATE_KEY = ["MONGODB_ATLAS_PRIVATE_KEY", "MONGODB_ATLAS_PRIVATE_API_KEY", "MCLI_PRIVATE_API_KEY"];
const COMMERCIAL = "https://cloud.mongodb.com";
const GOVERNMENT = "https://cloud.mongodbgov.com";
const GENERATIONS: readonly InvitationsGeneration[] = ["v2", "v1.0", "users"];

/**
 * The settings of one operation: the environment first, then the stack configuration.
 *
 * @throws AtlasConfigError that names the setting, where it was read and what to set instead.
 */
export function resolveSettings(environment: Environment, stackConfig: StackConfig): Settings {
  const inEnvironment = (names: readonly string[]) => first(names, (name) => environment[name]);
  const inConfig = (name: string) => first([`mongodbatlas:${name}`], stackConfig);
  return {
    credentials: credentials(inEnvironment, inConfig),
    baseUrl: baseUrl(inEnvironment, inConfig),
    invitationsApi: invitationsApi(
      inEnvironment(["MONGODB_ATLAS_INVITATIONS_API"]) ?? inConfig("invitationsApi"),
    ),
  };
}

type InEnvironment = (names: readonly string[]) => Setting | undefined;
type InConfig = (name: string) => Setting | undefined;

function first(names: readonly string[], read: StackConfig): Setting | undefined {
  for (const name of names) {
    const value = read(name)?.trim();
    if (value) return { name, value };
  }
  return undefined;
}

function credentials(inEnvironment: InEnvironment, inConfig: InConfig): Credentials {
  const found =
    pair("the environment", inEnvironment(PUBLIC_KEY), inEnvironment(PRIVATE_KEY), PUBLIC_KEY, PRIVATE_KEY) ??
    pair(
      "the stack configuration",
      inConfig("publicKey"),
      inConfig("privateKey"),
      ["mongodbatlas:publicKey"],
      ["mongodbatlas:privateKey"],
    );
  if (found) return found;
  throw new AtlasConfigError(
    "There are no credentials for Atlas. Set MONGODB_ATLAS_PUBLIC_KEY and MONGODB_ATLAS_PRIVATE_KEY in the environment, or mongodbatlas:publicKey and mongodbatlas:privateKey (with --secret) in the stack configuration.",
  );
}

/** Both halves from one place, or none there: halves of different keys never meet. */
function pair(
  place: string,
  publicKey: Setting | undefined,
  privateKey: Setting | undefined,
  publicNames: readonly string[],
  privateNames: readonly string[],
): Credentials | undefined {
  if (!publicKey && !privateKey) return undefined;
  if (!publicKey || !privateKey) {
    const present = publicKey ?? privateKey;
    const missing = publicKey ? privateNames[0] : publicNames[0];
    throw new AtlasConfigError(
      `${present?.name} is set in ${place}, but ${missing} is not. Set both there, or neither.`,
    );
  }
  const source = `${place} (${publicKey.name} and ${privateKey.name})`;
  // The key travels inside a quoted string of a header.
  if (!/^[\x21-\x7e]+$/.test(publicKey.value) || /["\\]/.test(publicKey.value)) {
    throw new AtlasConfigError(
      `${publicKey.name} in ${place} is not an API public key: it holds characters that no key has. Copy the key again from Atlas, Organization Access Manager.`,
    );
  }
  return { publicKey: publicKey.value, privateKey: privateKey.value, source };
}

function baseUrl(inEnvironment: InEnvironment, inConfig: InConfig): string {
  const environment = inEnvironment(["MONGODB_ATLAS_BASE_URL"]);
  if (environment) return origin(environment);
  const configured = inConfig("baseUrl");
  const government = isGovernment(inConfig("isMongodbgovCloud"));
  if (!configured) return government ? GOVERNMENT : COMMERCIAL;
  const url = origin(configured);
  if (government && url !== GOVERNMENT) {
    throw new AtlasConfigError(
      `mongodbatlas:isMongodbgovCloud is true, but mongodbatlas:baseUrl is ${url}. Remove one of them.`,
    );
  }
  return url;
}

function isGovernment(setting: Setting | undefined): boolean {
  if (setting && setting.value !== "true" && setting.value !== "false") {
    throw new AtlasConfigError(`${setting.name} is "${setting.value}": set it to true or false.`);
  }
  return setting?.value === "true";
}

function origin({ name, value }: Setting): string {
  const wrong = (reason: string) =>
    new AtlasConfigError(`${name} ${reason}. Give an origin, such as ${COMMERCIAL}.`);
  if (value.includes("@")) throw wrong("holds a user name or a password, which does not belong there");
  if (!URL.canParse(value)) throw wrong(`is "${value}", which is not a URL`);
  const url = new URL(value);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback(url.hostname))) {
    throw wrong(`is "${value}": only https is allowed, as credentials travel there`);
  }
  if (url.pathname !== "/" || url.search || url.hash) {
    throw wrong(`is "${value}", which has more than a scheme, a host and a port`);
  }
  return url.origin;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127(\.\d+){3}$/.test(host);
}

function invitationsApi(setting: Setting | undefined): InvitationsGeneration {
  if (!setting) return "v2";
  const generation = GENERATIONS.find((known) => known === setting.value);
  if (generation) return generation;
  throw new AtlasConfigError(
    `${setting.name} is "${setting.value}", which is no generation of the invitations API. Set it to ${GENERATIONS.map((known) => `"${known}"`).join(", ")}.`,
  );
}
