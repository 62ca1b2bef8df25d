import type { ApiKey } from "../atlas/credentials/digest-auth.ts";
import type { ServiceAccount } from "../atlas/credentials/service-account-auth.ts";
import { AtlasConfigError } from "./atlas-config-error.ts";
import type { Source } from "./settings-source.ts";

type SourcelessCredentials =
  | ({ kind: "apiKey" } & ApiKey)
  | ({ kind: "serviceAccount" } & ServiceAccount)
  | { kind: "accessToken"; accessToken: string };

/** One kind of credentials. `source` says where it was read, for messages: names, never values. */
export type Credentials = { source: string } & SourcelessCredentials;

type Names = [name: string, secondName?: string];

interface Kind {
  /** Each line is a pair of its own: halves that were set under different names may belong to different keys. */
  environment: Names[];
  configuration: Names[];
  parse(first: string, second: string, nameOfFirst: string, source: Source): SourcelessCredentials;
}

/** In order of priority, as in the official provider. */
const KINDS: Kind[] = [
  {
    environment: [["MONGODB_ATLAS_ACCESS_TOKEN"]],
    configuration: [["accessToken"]],
    parse: (accessToken, _, name, { place }) => {
      assertPrintable(accessToken, name, place, "an access token");
      return { kind: "accessToken", accessToken };
    },
  },
  {
    environment: [["MONGODB_ATLAS_CLIENT_ID", "MONGODB_ATLAS_CLIENT_SECRET"]],
    configuration: [["clientId", "clientSecret"]],
    parse: (clientId, clientSecret, name, { place }) => {
      assertPrintable(clientId, name, place, "the id of a service account");
      return { kind: "serviceAccount", clientId, clientSecret };
    },
  },
  {
    environment: [
      ["MONGODB_ATLAS_PUBLIC_KEY", "MONGODB_ATLAS_PRIVATE_KEY"],
      ["MONGODB_ATLAS_PUBLIC_API_KEY", "MONGODB_ATLAS_PRIVATE_API_KEY"],
      ["MCLI_PUBLIC_API_KEY", "MCLI_PRIVATE_API_KEY"],
    ],
    configuration: [["publicKey", "privateKey"]],
    parse: (publicKey, privateKey, name, { kind, place, nameOf }) => {
      if (publicKey.startsWith("mdb_sa_")) {
        const [id, secret] =
          kind === "environment"
            ? ["MONGODB_ATLAS_CLIENT_ID", "MONGODB_ATLAS_CLIENT_SECRET"]
            : [nameOf("clientId"), nameOf("clientSecret")];
        throw new AtlasConfigError(
          "invalidSetting",
          `${name} in ${place} is the id of a service account, not the public key of an API key. Set it as ${id}, with its secret as ${secret}.`,
        );
      }
      assertPrintable(publicKey, name, place, "an API public key");
      return { kind: "apiKey", publicKey, privateKey };
    },
  },
];

/**
 * The credentials of one operation: an access token, else a service account, else an API key, each from the first source
 * that has it. A configuration that is the first source decides alone if it has credentials of any kind. An id and a
 * secret from different sources are never combined.
 *
 * @throws AtlasConfigError that names the setting, where it was read and what to set; never a value.
 */
export function resolveCredentials(sources: readonly Source[]): Credentials {
  const [first, ...others] = sources;
  const found =
    first?.kind === "configuration"
      ? (firstComplete([first]) ?? firstComplete(others))
      : firstComplete(sources);
  if (found) return found;
  throw new AtlasConfigError(
    "noCredentials",
    "There are no credentials for Atlas. Set MONGODB_ATLAS_PUBLIC_KEY and MONGODB_ATLAS_PRIVATE_KEY, or MONGODB_ATLAS_CLIENT_ID and MONGODB_ATLAS_CLIENT_SECRET, in the environment.",
  );
}

function firstComplete(sources: readonly Source[]): Credentials | undefined {
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

function readPair(kind: Kind, source: Source, [firstKey, secondKey]: Names): Credentials | undefined {
  const { place, read, nameOf } = source;
  const first = read(firstKey)?.value;
  const second = secondKey === undefined ? "" : read(secondKey)?.value;
  if (!first && !second) return undefined;
  const firstName = nameOf(firstKey);
  const secondName = secondKey && nameOf(secondKey);
  if (!first || second === undefined) {
    const [present, missing] = first ? [firstName, secondName] : [secondName, firstName];
    throw new AtlasConfigError(
      "incompleteCredentials",
      `${present} is set in ${place}, but ${missing} is not. Set both there, or neither.`,
    );
  }
  const names = secondName === undefined ? firstName : `${firstName} and ${secondName}`;
  return { ...kind.parse(first, second, firstName, source), source: `${place} (${names})` };
}

/** A header carries the value, for an API key within a quoted string. */
function assertPrintable(value: string, name: string, place: string, what: string): void {
  if (/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(value)) return;
  throw new AtlasConfigError(
    "invalidSetting",
    `${name} in ${place} is not ${what}: it contains characters that never occur in one. Copy it again from Atlas, Organization Access Manager.`,
  );
}
