import { isDeepStrictEqual } from "node:util";
import { isKnown } from "./check-inputs.ts";
import { inputsOf, mayBeFrom010, type Properties, parseInputs, parseState } from "./stored-properties.ts";

/** What a change of the inputs means for a resource. */
export interface Change {
  /** `false`: nothing changes. Absent: the engine compares the inputs property by property. */
  changes?: boolean;
  /** The properties whose change replaces the resource. */
  replaces: string[];
  /** Whether the old resource is deleted before the new one is created. */
  deleteBeforeReplace: boolean;
}

/**
 * Another address or organization replaces the resource. The new invitation is sent before the old one is cancelled, so
 * that the old one is kept if Atlas rejects the new one. An expired invitation that is to be sent again is replaced in
 * the other order, as it is the same person. The address that Atlas has for the same person is no change of the person.
 *
 * @param olds - The stored properties.
 * @param news - The inputs that `checkInputs` has passed.
 */
export function changeOf(olds: Properties, news: Properties): Change {
  const replaces = ["orgId", "username"].filter((name) => {
    const isAddressInAtlas = name === "username" && news[name] === olds.__knownAs;
    return lowerCase(olds[name]) !== lowerCase(news[name]) && !isAddressInAtlas;
  });
  if (olds.status === "EXPIRED" && news.reinviteExpired === true) {
    return {
      changes: true,
      replaces: [...replaces, "expiresAt"],
      deleteBeforeReplace: replaces.length === 0,
    };
  }
  const isUnchanged = replaces.length === 0 && isUnchangedSince010(olds, news);
  return { ...(isUnchanged && { changes: false }), replaces, deleteBeforeReplace: false };
}

/** Whether the only difference is that 0.1.0 stored `[]` for a list that is not declared. */
function isUnchangedSince010(olds: Properties, news: Properties): boolean {
  if (!mayBeFrom010(olds) || !isKnown(news)) return false;
  return isDeepStrictEqual(inputsOf(parseState(olds)), parseInputs(news));
}

function lowerCase(value: unknown): unknown {
  return typeof value === "string" ? value.toLowerCase() : value;
}
