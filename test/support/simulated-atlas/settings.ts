import type { InvitationThrottle } from "./invitation-throttle.ts";
import type { RetryAfter } from "./retry-after.ts";
import type { RateLimit } from "./token-buckets.ts";

/** What nobody outside Atlas knows for certain, or what differs between organizations: tests try each. */
export interface Settings {
  /**
   * Whether a nonce may be used again with the next nc, for 60 s, or is refused at its second use.
   * @default "reusable"
   */
  nonces: "reusable" | "once";
  /**
   * The answer for an invitation id that is not pending. "documented": 400 to DELETE (documented) and 404 to
   * GET and PATCH (recorded for GET); "bare": a 404 without a body.
   * @default "documented"
   */
  goneAnswer: "documented" | 400 | 404 | "bare";
  /**
   * Whether accepting gives the person another user id.
   * @default false
   */
  newIdOnAcceptance: boolean;
  /**
   * POST /invites for somebody already pending. "replace": 200, a new id and a second mail; "keep": 200, the
   * old invitation unchanged and no mail; "refuse": 400.
   * @default "replace", the cruellest
   */
  secondInvite: "replace" | "keep" | "refuse";
  /**
   * POST /users for somebody pending or active: 409 is documented; the same request on a project was recorded
   * with 400.
   * @default 409
   */
  usersConflict: 409 | 400;
  /**
   * Whether the invitations API still lists an invitation that has run out, and answers GET for it. If so, PATCH
   * answers 400 ALREADY_EXPIRED (a documented code) and DELETE forgets it. Documented is that the API returns
   * pending invitations. Unknown: whether that excludes expired ones.
   * @default false
   */
  listsExpired: boolean;
  /**
   * Whether the users API lists a pending invitation beside the active entry of the same address, as after the
   * person joined by single sign-on. Unknown: whether such an invitation stays at all; here the invitations API
   * still lists it, and both APIs still find it by its id.
   * @default false
   */
  showsPendingBesideActive: boolean;
  /**
   * Whether the users API shows somebody who is invited to a project by the deprecated project endpoint.
   * Documented: it cannot show, update or remove them. Unknown: whether it hides them in its lists, too.
   * @default true, the cruellest: it shows somebody whom it does not change
   */
  showsProjectInvitations: boolean;
  /**
   * Whether the totalCount of a list of users grows by one from each page to the next, although nobody joins.
   * Unknown: whether Atlas counts the same people that it lists.
   * @default false
   */
  countsDiffer: boolean;
  /**
   * The status for a key that is not Organization Owner.
   * @default 401
   */
  notOwnerAnswer: 401 | 403;
  /**
   * The error code for a key that is not Organization Owner. Both are documented. Unknown: which one it is here.
   * @default "NOT_ORG_OWNER"
   */
  notOwnerCode: "NOT_ORG_OWNER" | "USER_UNAUTHORIZED";
  /**
   * Fields that POST /invites drops without a word.
   * @default []
   */
  ignoresOnCreate: readonly ("teamIds" | "groupRoleAssignments")[];
  /**
   * Fields that PATCH drops without a word, of invitations and of users. Documented: v1.0 names `roles` as the
   * only field. Unknown: whether Atlas also drops `roles` that an identity provider manages. `roles` means the
   * organization roles in both APIs.
   * @default []
   */
  ignoresOnUpdate: readonly ("teamIds" | "groupRoleAssignments" | "roles")[];
  /**
   * Whether PATCH keeps or resets the teams and the project roles that its body omits. Documented for the fields
   * of a user: they are kept. Unknown for invitations, and for a user's `roles` without `groupRoleAssignments`.
   * @default "kept"
   */
  omittedOnUpdate: "kept" | "reset";
  /**
   * Organization roles that Atlas adds to those that a POST or a PATCH asks for. Unknown: whether it adds any.
   * @default []
   */
  addsRoles: readonly string[];
  /**
   * Whether usernames that differ in letter case are one person. They are echoed as given either way.
   * @default "ignored"
   */
  usernameCase: "ignored" | "significant";
  /**
   * The spelling of a username that Atlas stores and answers, such as the main address for an alias. It has to
   * leave its own results unchanged. Unknown: whether Atlas changes any spelling.
   * @default the username as given
   */
  storesUsername: (username: string) => string;
  /**
   * The throttle of invitations, or none.
   * @default undefined
   */
  invitationThrottle: InvitationThrottle | undefined;
  /**
   * The buckets of invitations and users in every organization. Undefined: those documented, of which the
   * headers tell, but none of which refuses a request.
   * @default undefined
   */
  rateLimit: RateLimit | undefined;
  /**
   * What a 429 says about when to come back.
   * @default "seconds"
   */
  retryAfter: RetryAfter;
  /**
   * How long an access token is valid, in s.
   * @default 3600, as documented
   */
  tokenLifetimeS: number;
  /**
   * How many valid tokens a service account may have.
   * @default 100, as documented
   */
  maxActiveTokens: number;
  /**
   * How often a service account may ask for a token.
   * @default 50, as documented now; it used to be 10
   */
  tokenRequestsPerMinute: number;
}

export const defaultSettings: Settings = {
  nonces: "reusable",
  goneAnswer: "documented",
  newIdOnAcceptance: false,
  secondInvite: "replace",
  usersConflict: 409,
  listsExpired: false,
  showsPendingBesideActive: false,
  showsProjectInvitations: true,
  countsDiffer: false,
  notOwnerAnswer: 401,
  notOwnerCode: "NOT_ORG_OWNER",
  ignoresOnCreate: [],
  ignoresOnUpdate: [],
  omittedOnUpdate: "kept",
  addsRoles: [],
  usernameCase: "ignored",
  storesUsername: (username) => username,
  invitationThrottle: undefined,
  rateLimit: undefined,
  retryAfter: "seconds",
  tokenLifetimeS: 3600,
  maxActiveTokens: 100,
  tokenRequestsPerMinute: 50,
};
