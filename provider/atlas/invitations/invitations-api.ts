import type { Bounds } from "../bounds.ts";
import type { Recheck } from "../client/atlas-client.ts";
import type { Access, PartialAccess } from "./access.ts";

/** The values of `orgMembershipStatus` that version 2025-02-19 documents. Atlas may add others. */
export const MEMBERSHIP_STATUSES = [
  "PENDING",
  "ACTIVE",
  "INVITATION_EXPIRED",
  "INVITATION_REJECTED",
] as const;
export type MembershipStatus = (typeof MEMBERSHIP_STATUSES)[number];

/** Whether this version knows the status. */
export function isKnownStatus(orgMembershipStatus: string): orgMembershipStatus is MembershipStatus {
  return (MEMBERSHIP_STATUSES as readonly string[]).includes(orgMembershipStatus);
}

/** What Atlas says about one person in one organization. */
export interface Person extends Access {
  /** As Atlas stores it, in lower case. */
  username: string;
  /** One of {@link MEMBERSHIP_STATUSES}, or one that this version does not know. */
  orgMembershipStatus: string;
  /** Present where the invitations API listed the person. It differs from the `userId`, even while pending. */
  invitationId?: string | undefined;
  /** Present where the users API listed the person. */
  userId?: string | undefined;
  /** When the person was invited, ISO 8601 in UTC. */
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

/** An entry of a list that cannot be parsed, and the person whom it is about, as far as it names one. */
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

/** Requests the list of everyone whom one endpoint shows. */
export type PeopleList = (orgId: string, bounds: Bounds) => Promise<Listing>;

/** The lists of one API version. */
export interface PeopleLists {
  /** The list of pending invitations; absent where the list of users has their ids. */
  invitations?: PeopleList;
  /** The list of users, whatever their status. */
  users: PeopleList;
}

/** Whose invitation or membership it is, the ids by which each API addresses it, and the roles it has now. */
export type Invitee = Pick<Person, "username" | "invitationId" | "userId" | "roles">;

/** The invitations of organizations, in one API version. The lifecycle does not know which version it is. */
export interface InvitationsApi {
  /**
   * Runs a look-up on the lists of one API version. If Atlas answers that the version is retired, the look-up starts
   * again on the lists of its replacement.
   */
  lookUp<Result>(find: (lists: PeopleLists) => Promise<Result>): Promise<Result>;

  /**
   * Invites; Atlas sends the e-mail.
   *
   * @param recheck - As in `AtlasRequest`.
   */
  createOrgInvite(
    orgId: string,
    username: string,
    access: PartialAccess,
    recheck: Recheck,
    bounds: Bounds,
  ): Promise<Person>;

  /** Changes the given fields. `undefined` where Atlas has no such pending invitation: it is gone or accepted. */
  updateOrgInvite(
    orgId: string,
    invitee: Invitee,
    change: PartialAccess,
    bounds: Bounds,
  ): Promise<Person | undefined>;

  /** Cancels. `undefined` where Atlas has no such pending invitation: it is gone or accepted. */
  deleteOrgInvite(orgId: string, invitee: Invitee, bounds: Bounds): Promise<true | undefined>;
}

/** The members of organizations. */
export interface MembersApi {
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
