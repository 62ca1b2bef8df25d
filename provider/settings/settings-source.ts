/** One value, and the name under which it was read. */
export interface Setting {
  name: string;
  value: string;
}

/** A place where settings are read: the environment, or the configuration that Pulumi passes. */
export interface Source {
  kind: "environment" | "configuration";
  /** For error messages. */
  place: string;
  /** `undefined` where it is not set, or blank. */
  read(name: string): Setting | undefined;
}

/** Reads one value by its full name. What Pulumi passes of a provider's arguments need not be text. */
export type Read = (name: string) => unknown;

/**
 * The sources in the order in which they are asked: the environment first, then the stack configuration. What
 * an `AtlasProvider` was given goes before the environment, or several accounts in one program would all be one.
 */
export function settingsSources(
  environment: Record<string, string | undefined>,
  configuration: Read,
): Source[] {
  const explicit = configuration(EXPLICIT) !== undefined;
  const inEnvironment = source("environment", "the environment", (name) => environment[name]);
  const inConfiguration = source(
    "configuration",
    explicit ? "the arguments of the AtlasProvider" : "the stack configuration",
    configuration,
  );
  return explicit ? [inConfiguration, inEnvironment] : [inEnvironment, inConfiguration];
}

/** Set by `AtlasProvider`, beside its settings. */
const EXPLICIT = "mongodbatlas:explicitProvider";

function source(kind: Source["kind"], place: string, read: Read): Source {
  return {
    kind,
    place,
    read: (name) => {
      const value = String(read(name) ?? "").trim();
      return value ? { name, value } : undefined;
    },
  };
}
