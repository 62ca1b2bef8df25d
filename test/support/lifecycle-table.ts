import type { LifecycleRow, Operation } from "../../provider/lifecycle/membership.ts";

/** What an operation does for one answer of Atlas. */
export interface Cell {
  /** The text of docs/operations.md. That of an error begins with "error". */
  does: string;
  /** The requests of `v1.0` and `v2`, without challenges; `id` stands for any id. */
  invites: string[];
  /** The requests of `users`. */
  users: string[];
}

type Requests = Pick<Cell, "invites" | "users">;

const cell = (does: string, ...steps: Requests[]): Cell => ({
  does,
  invites: steps.flatMap(({ invites }) => invites),
  users: steps.flatMap(({ users }) => users),
});

const list: Requests = { invites: ["GET invites"], users: ["GET users"] };
const lists: Requests = { invites: ["GET invites", "GET users"], users: ["GET users"] };
const post: Requests = { invites: ["POST invites"], users: ["POST users"] };
/** A change or a cancellation that finds no pending invitation, and the look-up after it. */
const failedPatch: Requests = {
  invites: ["PATCH invites/id", ...lists.invites],
  users: ["GET users/id", "GET users"],
};
const failedDelete: Requests = { ...failedPatch, invites: ["DELETE invites/id", ...lists.invites] };
const patch: Requests = { invites: ["PATCH invites/id"], users: ["GET users/id", "PATCH users/id"] };
const cancel: Requests = { invites: ["DELETE invites/id"], users: ["GET users/id", "DELETE users/id"] };
const member = (method: string): Requests => ({
  invites: [`${method} users/id`],
  users: [`${method} users/id`],
});

/** What every operation does for everything that Atlas may answer about a person: the table of docs/operations.md. */
export const LIFECYCLE_TABLE: Record<LifecycleRow, Record<Operation, Cell>> = {
  nothing: {
    create: cell("invites the person", lists, post),
    read: cell("drops it from the state", lists),
    update: cell("error: no longer exists", failedPatch),
    delete: cell("done", failedDelete),
  },
  PENDING: {
    create: cell("adopts the invitation, changes what differs", list, patch),
    read: cell("`PENDING`, with roles and teams as found", list),
    update: cell("changes the invitation", patch),
    delete: cell("cancels the invitation", cancel),
  },
  "ACTIVE, fail": {
    create: cell("error: already a member, and the choices", lists),
    read: cell("`ACCEPTED`", lists),
    update: cell("error, and the choices", failedPatch),
    delete: cell("error, and the choices", failedDelete),
  },
  "ACTIVE, retain": {
    create: cell("adopts the member unchanged", lists),
    read: cell("`ACCEPTED`", lists),
    update: cell("error, and the choices", failedPatch),
    delete: cell("forgets the resource, keeps the member", failedDelete),
  },
  "ACTIVE, manage": {
    create: cell("adopts the member, changes what differs", lists, member("PATCH")),
    read: cell("`ACCEPTED`, with roles and teams as found", lists),
    update: cell("changes the member", failedPatch, member("PATCH")),
    delete: cell("removes the member", failedDelete, member("DELETE")),
  },
  INVITATION_EXPIRED: {
    create: cell("invites the person", lists, post),
    read: cell("`EXPIRED`", lists),
    update: cell("error: expired", failedPatch),
    delete: cell("done", failedDelete),
  },
  INVITATION_REJECTED: {
    create: cell("invites the person", lists, post),
    read: cell("`REJECTED`", lists),
    update: cell("error: rejected", failedPatch),
    delete: cell("done", failedDelete),
  },
};
