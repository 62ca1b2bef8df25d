/** One value, and the name under which it was read. */
export interface Setting {
  name: string;
  value: string;
}

/** A place where settings are read: the environment, or a configuration that an adapter passes. */
export interface Source {
  kind: "environment" | "configuration";
  /** For messages, such as "the environment". */
  place: string;
  /** The full name of a setting, for messages. */
  nameOf(key: string): string;
  /** `undefined` where the setting is absent or blank. */
  read(key: string): Setting | undefined;
}

/** Reads one value by its full name. The value of a configuration may be of any type. */
export type Read = (name: string) => unknown;

/** Settings under the names of environment variables. */
export function environmentSource(environment: Record<string, string | undefined>): Source {
  return source("environment", "the environment", "", (name) => environment[name]);
}

/**
 * Settings of a configuration, under the namespace of the adapter.
 *
 * @param place - For messages, such as "the stack configuration".
 * @param prefix - Of each name, such as `mongodbatlas:`.
 */
export function configurationSource(place: string, prefix: string, read: Read): Source {
  return source("configuration", place, prefix, read);
}

function source(kind: Source["kind"], place: string, prefix: string, read: Read): Source {
  const nameOf = (key: string) => `${prefix}${key}`;
  return {
    kind,
    place,
    nameOf,
    read: (key) => {
      const value = String(read(nameOf(key)) ?? "").trim();
      return value ? { name: nameOf(key), value } : undefined;
    },
  };
}
