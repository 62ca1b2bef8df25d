import type { Access } from "./access.ts";
import { AtlasError, isAtlasApiError } from "./errors.ts";

/** What Atlas says about one address in one organization. */
export interface Person {
  /** Lower case. */
  username: string;
  /** `PENDING`, `ACTIVE`, `INVITATION_EXPIRED` or `INVITATION_REJECTED`; Atlas may add others. */
  orgMembershipStatus: string;
  access: Access;
  /** Known where the invitations API told of the person. It is never the `userId`, not even while pending. */
  invitationId?: string | undefined;
  /** Known where the users API told of the person. */
  userId?: string | undefined;
  /** When they were invited, ISO 8601 in UTC. */
  createdAt?: string | undefined;
  /** 30 days later; a change of the invitation does not move it (recorded). */
  expiresAt?: string | undefined;
  /** An address, or the public key where an API key invited (recorded). */
  inviterUsername?: string | undefined;
  orgName?: string | undefined;
}

/** Everyone whom one endpoint shows. */
export type PeopleList = (orgId: string) => Promise<Person[]>;

/** Whose invitation it is, and the ids by which it is addressed: each generation has its own. */
export type Invitee = Pick<Person, "username" | "invitationId" | "userId">;

/** What a request was based on has changed, or it was carried out already: another look is due. */
export class OutdatedError extends AtlasError {
  override readonly name = "OutdatedError";
}

/** One generation of the API that carries invitations; the lifecycle does not know which it has. */
export interface InvitationsApi {
  /** Where to look a person up, in order: whom the first does not show, the next may. */
  readonly lists: readonly PeopleList[];

  /**
   * Invites; Atlas sends the e-mail.
   *
   * @param lookAgain - Called before it is sent again although Atlas may have carried it out: throws an
   *   `OutdatedError` where the person is known by then.
   */
  createOrgInvite(
    orgId: string,
    username: string,
    access: Access,
    lookAgain: () => Promise<void>,
  ): Promise<Person>;

  /** Grants another access. `undefined` where Atlas has no such pending invitation: gone, or accepted. */
  updateOrgInvite(orgId: string, invitee: Invitee, access: Access): Promise<Person | undefined>;

  /** Cancels. `undefined` where Atlas has no such pending invitation: gone, or accepted. */
  deleteOrgInvite(orgId: string, invitee: Invitee): Promise<true | undefined>;

  /** Grants a member another access. `undefined` where there is no such member any more. */
  updateMember(orgId: string, member: Invitee, access: Access): Promise<Person | undefined>;

  /** Removes a member from the organization. `undefined` where there is no such member any more. */
  removeMember(orgId: string, member: Invitee): Promise<true | undefined>;
}

/** The result, or `undefined` where the request was based on what is no longer so. */
export async function unlessOutdated<Result>(request: Promise<Result>): Promise<Result | undefined> {
  try {
    return await request;
  } catch (error) {
    if (error instanceof OutdatedError) return undefined;
    throw error;
  }
}

/** Whether somebody else may have been faster: the person is invited, or a member, by now. */
export function isConflict(error: unknown): boolean {
  if (!isAtlasApiError(error)) return false;
  // A 409 is documented for the users API, and was recorded as a 400 for its sister of projects. What the
  // invitations API says is unknown; of the codes on the error page only its catch-all fits.
  const conflicting = /ALREADY|DUPLICATE|^DEFAULT_INVITATION_EXCEPTION$/.test(error.errorCode ?? "");
  return error.status === 409 || (error.status === 400 && conflicting);
}

/**
 * The result, or `undefined` where Atlas says only that it does not know the person under this id. Whether
 * they are gone or have accepted is then for a look-up to say. A wrong organization, project or team, and
 * a refused key, are errors like any other.
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
  // The error page lists INVALID_INVITATION_ID as a 400, an accepted invitation was seen to give a 404.
  if (errorCode === "INVALID_INVITATION_ID") return status === 400 || status === 404;
  // Documented for changing what has expired.
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
