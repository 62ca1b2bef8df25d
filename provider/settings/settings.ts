import { AtlasConfigError } from "../atlas/errors.ts";
import { type Credentials, resolveCredentials } from "./credentials.ts";
import { type Read, type Setting, type Source, settingsSources } from "./settings-source.ts";

/** The API that carries the invitations. */
export type InvitationsApiVersion = "v2" | "v1.0" | "users";

export interface Settings {
  /** The origin of Atlas, without a trailing slash. */
  baseUrl: string;
  invitationsApi: InvitationsApiVersion;
  credentials: Credentials;
  /** How long one request may wait in all for Atlas's limits, before it is given up. */
  maxWaitMs: number;
  /** Whether each request is told in a line. */
  debug: boolean;
}

const COMMERCIAL = "https://cloud.mongodb.com";
const GOVERNMENT = "https://cloud.mongodbgov.com";
const API_VERSIONS: readonly InvitationsApiVersion[] = ["v2", "v1.0", "users"];

// Atlas takes ten invitations a minute, and an organization holds 500 people: the last of them waits 50 minutes.
const DEFAULT_MAX_WAIT = "1h";

/**
 * The settings of one operation: the environment first, then the stack configuration.
 *
 * @throws AtlasConfigError that names the setting, where it was read and what to set instead.
 */
export function resolveSettings(
  environment: Record<string, string | undefined>,
  configuration: Read,
): Settings {
  const sources = settingsSources(environment, configuration);
  const settings: Settings = {
    credentials: resolveCredentials(sources),
    baseUrl: baseUrl(sources),
    invitationsApi: invitationsApi(sources),
    maxWaitMs: maxWait(sources),
    debug: debug(sources),
  };
  if (settings.invitationsApi === "v1.0" && settings.credentials.kind !== "apiKey") {
    throw new AtlasConfigError(
      `The v1.0 API takes API keys only, but the credentials are from ${settings.credentials.source}. Set an API key instead, or the invitations API to v2.`,
    );
  }
  return settings;
}

/** The setting, from the first source that has it. */
function firstSet(sources: Source[], variable: string, key: string): Setting | undefined {
  for (const { kind, read } of sources) {
    const found = read(kind === "environment" ? variable : key);
    if (found) return found;
  }
  return undefined;
}

function baseUrl(sources: Source[]): string {
  for (const { kind, read } of sources) {
    const given = read(kind === "environment" ? "MONGODB_ATLAS_BASE_URL" : "mongodbatlas:baseUrl");
    const government = kind === "configuration" && isTrue(read("mongodbatlas:isMongodbgovCloud"));
    const url = given ? origin(given) : government ? GOVERNMENT : undefined;
    if (government && url !== GOVERNMENT) {
      throw new AtlasConfigError(
        "mongodbatlas:isMongodbgovCloud is true, but mongodbatlas:baseUrl is another server. Remove one of them.",
      );
    }
    if (url) return url;
  }
  return COMMERCIAL;
}

function isTrue(setting: Setting | undefined): boolean {
  if (setting && setting.value !== "true" && setting.value !== "false") {
    throw new AtlasConfigError(`${setting.name} is "${setting.value}": set it to true or false.`);
  }
  return setting?.value === "true";
}

function debug(sources: Source[]): boolean {
  const setting = firstSet(sources, "MONGODB_ATLAS_DEBUG", "mongodbatlas:debug");
  return setting !== undefined && setting.value !== "0" && setting.value !== "false";
}

const UNITS_MS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000 };

function maxWait(sources: Source[]): number {
  const setting = firstSet(sources, "MONGODB_ATLAS_MAX_WAIT", "mongodbatlas:maxWait");
  const { name, value } = setting ?? { name: "", value: DEFAULT_MAX_WAIT };
  const [, count = "", unit = ""] = /^(\d{1,6})([smh])$/.exec(value) ?? [];
  const unitMs = UNITS_MS[unit];
  if (unitMs) return Number(count) * unitMs;
  throw new AtlasConfigError(
    `${name} is "${value}", which is no duration: set it to one such as 90s, 30m or 1h.`,
  );
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

function invitationsApi(sources: Source[]): InvitationsApiVersion {
  const setting = firstSet(sources, "MONGODB_ATLAS_INVITATIONS_API", "mongodbatlas:invitationsApi");
  if (!setting) return "v2";
  const generation = API_VERSIONS.find((known) => known === setting.value);
  if (generation) return generation;
  throw new AtlasConfigError(
    `${setting.name} is "${setting.value}", which is no generation of the invitations API. Set it to one of ${API_VERSIONS.map((known) => `"${known}"`).join(", ")}.`,
  );
}
