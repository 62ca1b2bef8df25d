import { AtlasError, isAtlasApiError } from "../errors.ts";

/** What the request was based on has changed, or the request was carried out already: look the person up again. */
export class StaleObservationError extends AtlasError {
  override readonly name = "StaleObservationError";

  constructor(message: string) {
    super("stale", message);
  }
}

/** The result, or `undefined` for a `StaleObservationError`. */
export async function unlessStale<Result>(request: Promise<Result>): Promise<Result | undefined> {
  try {
    return await request;
  } catch (error) {
    if (error instanceof StaleObservationError) return undefined;
    throw error;
  }
}

/** Whether the error can mean that the person was invited, or became a member, in the meantime. */
export function isConflict(error: unknown): boolean {
  if (!isAtlasApiError(error)) return false;
  // A 409 is documented for the users API; the corresponding endpoint of projects was recorded answering 400. The answer
  // of the invitations API is unknown; of the codes on Atlas's error page only the catch-all fits.
  const conflicting = /ALREADY|DUPLICATE|^DEFAULT_INVITATION_EXCEPTION$/.test(error.errorCode ?? "");
  return error.status === 409 || (error.status === 400 && conflicting);
}

/** Whether Atlas carried out the request, but its answer cannot be parsed. */
export function isUnreadableSuccess(error: unknown): boolean {
  return isAtlasApiError(error) && error.status < 300;
}

/** Whether the credentials may read but not write: the codes of a key without the role Organization Owner. */
export function isNotOwner(error: unknown): boolean {
  if (!isAtlasApiError(error) || (error.status !== 401 && error.status !== 403)) return false;
  return ["NOT_ORG_OWNER", "USER_UNAUTHORIZED"].includes(error.errorCode ?? "");
}

/**
 * The result, or `undefined` where Atlas answers that it does not know the person under this id: a look-up then tells
 * whether the person is gone or has accepted. A wrong organization, project or team, and rejected credentials, throw.
 */
export async function unlessUnknown<Result>(request: Promise<Result>): Promise<Result | undefined> {
  try {
    return await request;
  } catch (error) {
    if (isAtlasApiError(error) && isUnknownPerson(error.status, error.errorCode)) return undefined;
    throw error;
  }
}

function isUnknownPerson(status: number, errorCode = "UNEXPECTED_ERROR"): boolean {
  // Atlas's error page lists INVALID_INVITATION_ID as a 400; a 404 was recorded for an accepted invitation.
  if (errorCode === "INVALID_INVITATION_ID") return status === 400 || status === 404;
  // Documented for a change of an expired invitation.
  if (errorCode === "ALREADY_EXPIRED") return status === 400;
  // Recorded 404s lack the code, or carry null or UNEXPECTED_ERROR.
  return status === 404 && UNKNOWN_PERSON.includes(errorCode);
}

const UNKNOWN_PERSON = [
  "UNEXPECTED_ERROR",
  "RESOURCE_NOT_FOUND",
  "USER_NOT_FOUND",
  "USERNAME_NOT_FOUND",
  "INVALID_USER_ID",
  "USER_NOT_IN_ORG",
];
