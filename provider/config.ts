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

type KeyNames = [publicKey: string, privateKey: string];

// Each line is a source of its own: halves that were set under different names may be of different keys.
const KEY_VARIABLES: KeyNames[] = [
  ["MONGODB_ATLAS_PUBLIC_KEY", "MONGODB_ATLAS_PRIVATE_KEY"],
  ["MONGODB_ATLAS_PUBLIC_API_KEY", "MONGODB_ATLAS_PRIVATE_API_KEY"],
  ["MCLI_PUBLIC_API_KEY", "MCLI_PRIVATE_API_KEY"],
];
const KEY_SETTINGS: KeyNames = ["mongodbatlas:publicKey", "mongodbatlas:privateKey"];
const COMMERCIAL = "https://cloud.mongodb.com";
const GOVERNMENT = "https://cloud.mongodbgov.com";
const GENERATIONS: readonly InvitationsGeneration[] = ["v2", "v1.0", "users"];

/**
 * The settings of one operation: the environment first, then the stack configuration.
 *
 * @throws AtlasConfigError that names the setting, where it was read and what to set instead.
 */
export function resolveSettings(environment: Environment, stackConfig: StackConfig): Settings {
  const inEnvironment = (name: string) => setting(name, environment[name]);
  const inConfig = (name: string) => setting(name, stackConfig(name));
  return {
    credentials: credentials(inEnvironment, inConfig),
    baseUrl: baseUrl(inEnvironment, inConfig),
    invitationsApi: invitationsApi(
      inEnvironment("MONGODB_ATLAS_INVITATIONS_API") ?? inConfig("mongodbatlas:invitationsApi"),
    ),
  };
}

type Read = (name: string) => Setting | undefined;

/** What is blank is not set. */
function setting(name: string, text: string | undefined): Setting | undefined {
  const value = text?.trim();
  return value ? { name, value } : undefined;
}

function credentials(inEnvironment: Read, inConfig: Read): Credentials {
  for (const names of KEY_VARIABLES) {
    const found = pair("the environment", inEnvironment, names);
    if (found) return found;
  }
  const found = pair("the stack configuration", inConfig, KEY_SETTINGS);
  if (found) return found;
  throw new AtlasConfigError(
    "There are no credentials for Atlas. Set MONGODB_ATLAS_PUBLIC_KEY and MONGODB_ATLAS_PRIVATE_KEY in the environment, or mongodbatlas:publicKey and mongodbatlas:privateKey (with --secret) in the stack configuration.",
  );
}

/** Both halves from one source, or none there: halves of different keys never meet. */
function pair(place: string, read: Read, [publicName, privateName]: KeyNames): Credentials | undefined {
  const publicKey = read(publicName)?.value;
  const privateKey = read(privateName)?.value;
  if (!publicKey && !privateKey) return undefined;
  if (!publicKey || !privateKey) {
    const [present, missing] = publicKey ? [publicName, privateName] : [privateName, publicName];
    throw new AtlasConfigError(
      `${present} is set in ${place}, but ${missing} is not. Set both there, or neither.`,
    );
  }
  // The key travels inside a quoted string of a header.
  if (!/^[\x21-\x7e]+$/.test(publicKey) || /["\\]/.test(publicKey)) {
    throw new AtlasConfigError(
      `${publicName} in ${place} is not an API public key: it holds characters that no key has. Copy the key again from Atlas, Organization Access Manager.`,
    );
  }
  return { publicKey, privateKey, source: `${place} (${publicName} and ${privateName})` };
}

function baseUrl(inEnvironment: Read, inConfig: Read): string {
  const environment = inEnvironment("MONGODB_ATLAS_BASE_URL");
  if (environment) return origin(environment);
  const configured = inConfig("mongodbatlas:baseUrl");
  const government = isGovernment(inConfig("mongodbatlas:isMongodbgovCloud"));
  if (!configured) return government ? GOVERNMENT : COMMERCIAL;
  const url = origin(configured);
  if (government && url !== GOVERNMENT) {
    throw new AtlasConfigError(
      "mongodbatlas:isMongodbgovCloud is true, but mongodbatlas:baseUrl is another server. Remove one of them.",
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
  // No part of the value goes into a message: tokens and passwords are put into URLs.
  const wrong = (reason: string) =>
    new AtlasConfigError(`${name} ${reason}. Give an origin, such as ${COMMERCIAL}.`);
  if (!URL.canParse(value)) throw wrong("is not a URL");
  const url = new URL(value);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback(url.hostname))) {
    throw wrong("does not begin with https://, and credentials travel there");
  }
  if (url.username || url.password || url.pathname !== "/" || url.search || url.hash) {
    throw wrong("has more than a scheme, a host and a port");
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
