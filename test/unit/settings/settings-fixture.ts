import { AtlasConfigError } from "../../../provider/settings/atlas-config-error.ts";
import {
  configurationSource,
  environmentSource,
  type Source,
} from "../../../provider/settings/settings-source.ts";

export type Values = Record<string, string | undefined>;

/**
 * The environment, then a configuration whose names begin with "cfg:". Both are in one object.
 *
 * @param first - Which source is read first.
 */
export function sourcesOf(values: Values, first: Source["kind"] = "environment"): Source[] {
  const environment = environmentSource(values);
  const configuration = configurationSource("the configuration", "cfg:", (name) => values[name]);
  return first === "environment" ? [environment, configuration] : [configuration, environment];
}

/** The error with which settings are rejected. */
export function rejectionOf(resolve: () => unknown): AtlasConfigError {
  try {
    resolve();
  } catch (error) {
    if (error instanceof AtlasConfigError) return error;
    throw error;
  }
  throw new Error("The settings were accepted.");
}
