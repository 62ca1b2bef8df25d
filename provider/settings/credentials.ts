import type { ApiKey } from "../atlas/auth.ts";
import type { ServiceAccount } from "../atlas/credentials/service-account-auth.ts";
import { AtlasConfigError } from "../atlas/errors.ts";
import type { Source } from "./settings-source.ts";

/** One kind of credentials, from one source. */
export type Credentials = { source: string } & (
  | ({ kind: "apiKey" } & ApiKey)
  | ({ kind: "serviceAccount" } & ServiceAccount)
  | { kind: "accessToken"; accessToken: string }
);

type Names = [name: string, secondName?: string];

interface Kind {
  /** Each line is a source of its own: halves that were set under different names may be of different keys. */
  environment: Names[];
  configuration: Names[];
  credentials(first: string, second: string, nameOfFirst: string, place: string): Unsourced;
}

type Unsourced =
  | ({ kind: "apiKey" } & ApiKey)
  | ({ kind: "serviceAccount" } & ServiceAccount)
  | { kind: "accessToken"; accessToken: string };

/** By priority, as the official provider has it. */
const KINDS: Kind[] = [
  {
    environment: [["MONGODB_ATLAS_ACCESS_TOKEN"]],
    configuration: [["mongodbatlas:accessToken"]],
    credentials: (accessToken, _, name, place) => {
      demandPrintable(accessToken, name, place, "an access token");
      return { kind: "accessToken", accessToken };
    },
  },
  {
    environment: [["MONGODB_ATLAS_CLIENT_ID", "MONGODB_ATLAS_CLIENT_SECRET"]],
    configuration: [["mongodbatlas:clientId", "mongodbatlas:clientSecret"]],
    credentials: (clientId, clientSecret, name, place) => {
      demandPrintable(clientId, name, place, "the id of a service account");
      return { kind: "serviceAccount", clientId, clientSecret };
    },
  },
  {
    environment: [
      ["MONGODB_ATLAS_PUBLIC_KEY", "MONGODB_ATLAS_PRIVATE_KEY"],
      ["MONGODB_ATLAS_PUBLIC_API_KEY", "MONGODB_ATLAS_PRIVATE_API_KEY"],
      ["MCLI_PUBLIC_API_KEY", "MCLI_PRIVATE_API_KEY"],
    ],
    configuration: [["mongodbatlas:publicKey", "mongodbatlas:privateKey"]],
    credentials: (publicKey, privateKey, name, place) => {
      if (publicKey.startsWith("mdb_sa_")) {
        throw new AtlasConfigError(
          `${name} in ${place} is the id of a service account, not the public key of an API key. Set it as MONGODB_ATLAS_CLIENT_ID or mongodbatlas:clientId, with its secret.`,
        );
      }
      demandPrintable(publicKey, name, place, "an API public key");
      return { kind: "apiKey", publicKey, privateKey };
    },
  },
];

/**
 * The credentials of one operation: access token, service account, API key, each from the first source that
 * has it; but what an `AtlasProvider` was given goes before the environment, whatever its kind. An id and a
 * secret from different sources are never joined.
 *
 * @throws AtlasConfigError that names the setting, where it was read and what to set; never a value.
 */
export function resolveCredentials(sources: Source[]): Credentials {
  const [first, ...others] = sources;
  const isExplicit = first?.kind === "configuration";
  const found = isExplicit ? (firstComplete([first]) ?? firstComplete(others)) : firstComplete(sources);
  if (found) return found;
  throw new AtlasConfigError(
    "There are no credentials for Atlas. Set MONGODB_ATLAS_PUBLIC_KEY and MONGODB_ATLAS_PRIVATE_KEY, or MONGODB_ATLAS_CLIENT_ID and MONGODB_ATLAS_CLIENT_SECRET, in the environment; or mongodbatlas:publicKey and mongodbatlas:privateKey (with --secret), or mongodbatlas:clientId and mongodbatlas:clientSecret (with --secret), in the stack configuration.",
  );
}

function firstComplete(sources: Source[]): Credentials | undefined {
  for (const kind of KINDS) {
    for (const source of sources) {
      for (const names of kind[source.kind]) {
        const found = readPair(kind, source, names);
        if (found) return found;
      }
    }
  }
  return undefined;
}

function readPair(
  kind: Kind,
  { place, read }: Source,
  [firstName, secondName]: Names,
): Credentials | undefined {
  const first = read(firstName)?.value;
  const second = secondName === undefined ? "" : read(secondName)?.value;
  if (!first && !second) return undefined;
  if (!first || second === undefined) {
    const [present, missing] = first ? [firstName, secondName] : [secondName, firstName];
    throw new AtlasConfigError(
      `${present} is set in ${place}, but ${missing} is not. Set both there, or neither.`,
    );
  }
  const names = secondName === undefined ? firstName : `${firstName} and ${secondName}`;
  return { ...kind.credentials(first, second, firstName, place), source: `${place} (${names})` };
}

/** It travels in a header, an API key even inside a quoted string of one. */
function demandPrintable(value: string, name: string, place: string, what: string): void {
  if (/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(value)) return;
  throw new AtlasConfigError(
    `${name} in ${place} is not ${what}: it holds characters that none has. Copy it again from Atlas, Organization Access Manager.`,
  );
}
