import { AtlasConfigError } from "./atlas-config-error.ts";
import { type Credentials, resolveCredentials } from "./credentials.ts";
import type { Setting, Source } from "./settings-source.ts";

/** The version of the API that carries the invitations. */
export type InvitationsApiVersion = "v2" | "v1.0" | "users";

export interface Settings {
  /** The origin of Atlas, without a trailing slash. */
  baseUrl: string;
  invitationsApi: InvitationsApiVersion;
  credentials: Credentials;
  /** How long one operation may wait in all. */
  maxWaitMs: number;
  /** Whether each request is shown. */
  debug: boolean;
}

const COMMERCIAL = "https://cloud.mongodb.com";
const GOVERNMENT = "https://cloud.mongodbgov.com";
const API_VERSIONS: readonly InvitationsApiVersion[] = ["v2", "v1.0", "users"];

// Atlas accepts ten invitations a minute, and an organization holds 500 people: the last invitation waits 50 minutes.
const DEFAULT_MAX_WAIT = "1h";

/**
 * The settings of one operation.
 *
 * @param sources - The first source that has a setting decides.
 * @throws AtlasConfigError that names the setting, where it was read and what to set instead.
 */
export function resolveSettings(sources: readonly Source[]): Settings {
  const settings: Settings = {
    credentials: resolveCredentials(sources),
    baseUrl: baseUrl(sources),
    invitationsApi: invitationsApi(sources),
    maxWaitMs: maxWait(sources),
    debug: debug(sources),
  };
  if (settings.invitationsApi === "v1.0" && settings.credentials.kind !== "apiKey") {
    throw new AtlasConfigError(
      "conflictingSettings",
      `The v1.0 API accepts API keys only, but the credentials are from ${settings.credentials.source}. Set an API key instead, or the invitations API to v2.`,
    );
  }
  return settings;
}

/** The setting of the first source that has it. */
function firstSet(sources: readonly Source[], variable: string, key: string): Setting | undefined {
  for (const { kind, read } of sources) {
    const found = read(kind === "environment" ? variable : key);
    if (found) return found;
  }
  return undefined;
}

function baseUrl(sources: readonly Source[]): string {
  for (const { kind, read, nameOf } of sources) {
    const given = read(kind === "environment" ? "MONGODB_ATLAS_BASE_URL" : "baseUrl");
    const government = kind === "configuration" && isTrue(read("isMongodbgovCloud"));
    const url = given ? origin(given) : government ? GOVERNMENT : undefined;
    if (government && url !== GOVERNMENT) {
      throw new AtlasConfigError(
        "conflictingSettings",
        `${nameOf("isMongodbgovCloud")} is true, but ${nameOf("baseUrl")} is another server. Remove one of them.`,
      );
    }
    if (url) return url;
  }
  return COMMERCIAL;
}

function isTrue(setting: Setting | undefined): boolean {
  if (setting && setting.value !== "true" && setting.value !== "false") {
    throw invalid(setting, "is neither true nor false", "Set it to one of them.");
  }
  return setting?.value === "true";
}

function debug(sources: readonly Source[]): boolean {
  const setting = firstSet(sources, "MONGODB_ATLAS_DEBUG", "debug");
  return setting !== undefined && setting.value !== "0" && setting.value !== "false";
}

const UNITS_MS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000 };

function maxWait(sources: readonly Source[]): number {
  const setting = firstSet(sources, "MONGODB_ATLAS_MAX_WAIT", "maxWait");
  const { name, value } = setting ?? { name: "", value: DEFAULT_MAX_WAIT };
  const [, count = "", unit = ""] = /^(\d{1,6})([smh])$/.exec(value) ?? [];
  const unitMs = UNITS_MS[unit];
  if (unitMs) return Number(count) * unitMs;
  throw invalid({ name, value }, "is not a duration", "Set it to one such as 90s, 30m or 1h.");
}

function origin({ name, value }: Setting): string {
  // The message quotes no part of the value, as URLs may contain tokens and passwords.
  const wrong = (reason: string) =>
    new AtlasConfigError("invalidSetting", `${name} ${reason}. Set it to an origin, such as ${COMMERCIAL}.`);
  if (!URL.canParse(value)) throw wrong("is not a URL");
  const url = new URL(value);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback(url.hostname))) {
    throw wrong("does not begin with https://, which protects the credentials");
  }
  if (url.username || url.password || url.pathname !== "/" || url.search || url.hash) {
    throw wrong("has more than a scheme, a host and a port");
  }
  return url.origin;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127(\.\d+){3}$/.test(host);
}

function invitationsApi(sources: readonly Source[]): InvitationsApiVersion {
  const setting = firstSet(sources, "MONGODB_ATLAS_INVITATIONS_API", "invitationsApi");
  if (!setting) return "v2";
  const version = API_VERSIONS.find((known) => known === setting.value);
  if (version) return version;
  const versions = API_VERSIONS.map((known) => `"${known}"`).join(", ");
  throw invalid(setting, "is not a version of the invitations API", `Set it to one of ${versions}.`);
}

function invalid({ name, value }: Setting, reason: string, nextStep: string): AtlasConfigError {
  return new AtlasConfigError("invalidSetting", `${name} is "${value}", which ${reason}. ${nextStep}`);
}
