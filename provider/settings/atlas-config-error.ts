import { AtlasError } from "../atlas/errors.ts";

/** What is wrong with the settings, or with the process that runs. */
export type ConfigErrorKind =
  | "noCredentials"
  /** One half of a pair of credentials is missing. */
  | "incompleteCredentials"
  /** The value of a setting cannot be used. */
  | "invalidSetting"
  /** Two settings contradict each other. */
  | "conflictingSettings"
  /** The version of Node.js is too old. */
  | "nodeVersion"
  /** The plugin host would not find this package. */
  | "packageNotFound";

/** The settings do not allow a request. The message names the setting, where it was read and what to set instead. */
export class AtlasConfigError extends AtlasError<ConfigErrorKind> {
  override readonly name = "AtlasConfigError";
}
