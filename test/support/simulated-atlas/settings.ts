import type { InvitationThrottle } from "./invitation-throttle.ts";
import type { RateLimit, RetryAfter } from "./token-buckets.ts";

type AccessField = "roles" | "teamIds" | "groupRoleAssignments";

/** The behaviour of Atlas that is unknown, or that differs between organizations, with its defaults. */
export const defaultSettings = {
  /** Whether a nonce is valid again with the next nc, for 60 s, or is refused at its second use. */
  nonces: "reusable" as "reusable" | "once",
  /**
   * The answer for an invitation id that is not pending. "documented": 400 to DELETE (documented) and 404 to
   * GET and PATCH (recorded for GET); "bare": a 404 without a body.
   */
  goneAnswer: "documented" as "documented" | 400 | 404 | "bare",
  /** Whether a user who accepts gets another user id. */
  newIdOnAcceptance: false,
  /**
   * The answer to POST /invites for a user who is pending. "replace", the hardest for clients: 200, a new id and
   * a second mail; "keep": 200, the old invitation unchanged and no mail; "refuse": 400.
   */
  secondInvite: "replace" as "replace" | "keep" | "refuse",
  /** The answer to POST /users for a pending or active user. 409 is documented; 400 was recorded on projects. */
  usersConflict: 409 as 409 | 400,
  /**
   * Whether the invitations API, which returns pending invitations (documented), returns expired ones, too. If so,
   * PATCH answers 400 ALREADY_EXPIRED (a documented code) and DELETE removes it.
   */
  listsExpired: false,
  /**
   * Whether the users API lists a pending invitation beside the active entry of the same address, as after a single
   * sign-on. Unknown: whether Atlas keeps it. Here, the invitations API lists it, and both APIs find it by its id.
   */
  showsPendingBesideActive: false,
  /**
   * Whether the users API shows a user who is invited to a project by the deprecated project endpoint, which is
   * the hardest for clients. Documented: the API cannot show, update or remove the user. Unknown: whether lists do.
   */
  showsProjectInvitations: true,
  /** Whether totalCount grows by one from page to page. Unknown: whether Atlas counts the users that it lists. */
  countsDiffer: false,
  /** The status and the error code for an API key that is not Organization Owner. All are documented. */
  notOwnerAnswer: 401 as 401 | 403,
  notOwnerCode: "NOT_ORG_OWNER" as "NOT_ORG_OWNER" | "USER_UNAUTHORIZED",
  /** The fields that POST /invites ignores. */
  ignoresOnCreate: [] as readonly Exclude<AccessField, "roles">[],
  /**
   * The fields that PATCH ignores; `roles` are the organization roles in both APIs. Documented: v1.0 names `roles`
   * as the only field. Unknown: whether Atlas also ignores `roles` that an identity provider manages.
   */
  ignoresOnUpdate: [] as readonly AccessField[],
  /**
   * Whether PATCH keeps or resets the teams and the project roles that its body omits. Documented for the fields
   * of a user: they are kept. Unknown for invitations, and for a user's `roles` without `groupRoleAssignments`.
   */
  omittedOnUpdate: "kept" as "kept" | "reset",
  /** The organization roles that Atlas adds to those of a POST or a PATCH. Unknown: whether it adds any. */
  addsRoles: [] as readonly string[],
  /** How Atlas stores a username, such as an alias; leaves its own results unchanged. Unknown: whether it does. */
  storesUsername: (username: string): string => username,
  invitationThrottle: undefined as InvitationThrottle | undefined,
  /** The buckets of every organization. Undefined: the documented ones, which refuse no request. */
  rateLimit: undefined as RateLimit | undefined,
  /** The form of the Retry-After header of a 429. */
  retryAfter: "seconds" as RetryAfter,
  /** How long an access token is valid, in s. Documented. */
  tokenLifetimeS: 3600,
  /** How often a service account may request a token. Documented; an older documentation says 10. */
  tokenRequestsPerMinute: 50,
};

export type Settings = typeof defaultSettings;

/** What all parts of one simulator share. The clock is in ms. */
export interface Context {
  readonly settings: Settings;
  readonly now: () => number;
}
