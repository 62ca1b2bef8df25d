import * as v from "valibot";
import type { Bounds } from "../atlas-client.ts";
import { AtlasError, isAtlasApiError } from "../errors.ts";
import type { Access, PartialAccess } from "./access.ts";

/** What Atlas says about one person in one organization. */
export interface Person extends Access {
  /** As Atlas stores it, in lower case. */
  username: string;
  /** `PENDING`, `ACTIVE`, `INVITATION_EXPIRED` or `INVITATION_REJECTED`; Atlas may add others. */
  orgMembershipStatus: string;
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
  /** An invitation to a project of the organization: only the project's own endpoint can change or cancel it. */
  isProjectInvitation?: boolean;
  /** The invitation that is still open although the person is a member: they joined by single sign-on. */
  openInvitation?: Person | undefined;
}

/** An entry of a list that cannot be used, and whom it is about, as far as it says. */
export interface UnusableEntry {
  username?: string | undefined;
  id?: string | undefined;
  /** What is wrong with it. */
  reason: string;
}

/** One list of an organization. */
export interface Listing {
  people: Person[];
  unusable: UnusableEntry[];
}

/** Asks one endpoint for everyone whom it shows. */
export type PeopleList = (orgId: string, bounds: Bounds) => Promise<Listing>;

/** Whose invitation or membership it is, the ids by which each API addresses it, and the roles it has now. */
export type Invitee = Pick<Person, "username" | "invitationId" | "userId" | "roles">;

/** Called before a request is sent that may be based on what is no longer so: throws an `OutdatedError` then. */
export type Recheck = (bounds: Bounds) => Promise<void>;

/** What a request was based on has changed, or it was carried out already: another look-up is due. */
export class StaleObservationError extends AtlasError {
  override readonly name = "OutdatedError";
}

/** One generation of the API that carries invitations; the lifecycle does not know which it has. */
export interface InvitationsApi {
  /**
   * Runs a look-up on the lists of one generation, in their order: first those that show pending people, last the
   * one that shows everybody. Where Atlas retires the generation meanwhile, the look-up starts anew on the next.
   */
  lookUp<Result>(find: (lists: readonly PeopleList[]) => Promise<Result>): Promise<Result>;

  /**
   * Invites; Atlas sends the e-mail.
   *
   * @param recheck - Called before it is sent again although Atlas may have carried it out, and after a long wait:
   *   throws an `OutdatedError` where the person is known by then.
   */
  createOrgInvite(
    orgId: string,
    username: string,
    access: PartialAccess,
    recheck: Recheck,
    bounds: Bounds,
  ): Promise<Person>;

  /** Changes the given fields. `undefined` where Atlas has no such pending invitation: gone, or accepted. */
  updateOrgInvite(
    orgId: string,
    invitee: Invitee,
    change: PartialAccess,
    bounds: Bounds,
  ): Promise<Person | undefined>;

  /** Cancels. `undefined` where Atlas has no such pending invitation: gone, or accepted. */
  deleteOrgInvite(orgId: string, invitee: Invitee, bounds: Bounds): Promise<true | undefined>;

  /** Changes the given fields of a member. `undefined` where there is no such member any more. */
  updateMember(
    orgId: string,
    member: Person,
    change: PartialAccess,
    bounds: Bounds,
  ): Promise<Person | undefined>;

  /** Removes a member from the organization. `undefined` where there is no such member any more. */
  removeMember(orgId: string, member: Invitee, bounds: Bounds): Promise<true | undefined>;
}

/** Atlas's ids: 24 hexadecimal digits. Whatever else stands in their place must never become part of a path. */
export const AtlasId = v.pipe(v.string(), v.regex(/^[0-9a-f]{24}$/i));

/** Reads a list entry by entry, so that one that cannot be used spoils no other. */
export function listingOf<Schema extends v.GenericSchema>(
  entries: readonly unknown[],
  schema: Schema,
  personOf: (entry: v.InferOutput<Schema>) => Person,
): Listing {
  const listing: Listing = { people: [], unusable: [] };
  for (const entry of entries) {
    const parsed = v.safeParse(schema, entry);
    if (parsed.success) {
      listing.people.push(personOf(parsed.output));
    } else {
      // The issue's own message quotes the answer.
      const place = v.getDotPath(parsed.issues[0]) ?? "content";
      const { username, id } = v.parse(Identity, entry);
      listing.unusable.push({
        username: username?.toLowerCase(),
        id,
        reason: `its ${place} is missing or of another kind`,
      });
    }
  }
  return listing;
}

const text = v.fallback(v.optional(v.string()), undefined);
const Identity = v.fallback(v.object({ username: text, id: text }), { username: undefined, id: undefined });

/** The result, or `undefined` where the request was based on what is no longer so. */
export async function unlessStale<Result>(request: Promise<Result>): Promise<Result | undefined> {
  try {
    return await request;
  } catch (error) {
    if (error instanceof StaleObservationError) return undefined;
    throw error;
  }
}

/** Whether somebody else may have been faster: the person is invited, or a member, by now. */
export function isConflict(error: unknown): boolean {
  if (!isAtlasApiError(error)) return false;
  // A 409 is documented for the users API; the corresponding endpoint of projects was recorded with a 400. What
  // the invitations API says is unknown; of the codes on the error page only its catch-all fits.
  const conflicting = /ALREADY|DUPLICATE|^DEFAULT_INVITATION_EXCEPTION$/.test(error.errorCode ?? "");
  return error.status === 409 || (error.status === 400 && conflicting);
}

/** Whether Atlas has carried out a request whose answer cannot be used. */
export function isUnreadableSuccess(error: unknown): boolean {
  return isAtlasApiError(error) && error.status < 300;
}

/** Whether the credentials may read but not write: the codes of a key without the role Organization Owner. */
export function isNotOwner(error: unknown): boolean {
  if (!isAtlasApiError(error) || (error.status !== 401 && error.status !== 403)) return false;
  return ["NOT_ORG_OWNER", "USER_UNAUTHORIZED"].includes(error.errorCode ?? "");
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
