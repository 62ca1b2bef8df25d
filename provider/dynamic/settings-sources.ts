import {
  configurationSource,
  environmentSource,
  type Read,
  type Source,
} from "../settings/settings-source.ts";

/** The namespace of the official provider, so that an existing stack works unchanged. */
const NAMESPACE = "mongodbatlas:";

/** Set by `AtlasProvider`, beside its settings. */
const EXPLICIT = `${NAMESPACE}explicitProvider`;

/**
 * The environment, then the stack configuration. The arguments of an `AtlasProvider` come before the environment, as
 * otherwise several accounts of one program would all be the account of the environment.
 */
export function settingsSources(
  environment: Record<string, string | undefined>,
  configuration: Read,
): Source[] {
  const isExplicit = configuration(EXPLICIT) !== undefined;
  const place = isExplicit ? "the arguments of the AtlasProvider" : "the stack configuration";
  const sources = [environmentSource(environment), configurationSource(place, NAMESPACE, configuration)];
  return isExplicit ? sources.reverse() : sources;
}
