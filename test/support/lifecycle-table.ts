import type { LifecycleRow, Operation } from "../../provider/lifecycle/membership.ts";

/** The requests of one cell, without the challenge: the names of the resources stand for their ids. */
export interface Cell {
  /** What docs/operations.md says about it. */
  does: string;
  /** The requests of `v1.0` and of `v2`. */
  invites: string[];
  /** The requests of `users`. */
  users: string[];
  /** What the error says, where the operation refuses. */
  refuses?: RegExp;
}

const looks = { invites: ["GET invites", "GET users"], users: ["GET users"] };
const asksInVain = {
  update: { invites: ["PATCH invites/id"], users: ["GET users/id"] },
  delete: { invites: ["DELETE invites/id"], users: ["GET users/id"] },
};

function after(...steps: { invites: string[]; users: string[] }[]) {
  return {
    invites: steps.flatMap(({ invites }) => invites),
    users: steps.flatMap(({ users }) => users),
  };
}
const both = (...requests: string[]) => ({ invites: requests, users: requests });

const invites: Cell = {
  does: "invites the person",
  ...after(looks, { invites: ["POST invites"], users: ["POST users"] }),
};
const updateInVain = after(asksInVain.update, looks);
const deleteInVain = after(asksInVain.delete, looks);

/** What every operation does for everything that Atlas may say about a person: the table of docs/operations.md. */
export const LIFECYCLE_TABLE: Record<LifecycleRow, Record<Operation, Cell>> = {
  nothing: {
    create: invites,
    read: { does: "drops it from the state", ...looks },
    update: {
      does: "error: no longer exists",
      ...updateInVain,
      refuses: /cancelled outside Pulumi.*pulumi refresh/,
    },
    delete: { does: "done", ...deleteInVain },
  },
  PENDING: {
    create: {
      does: "adopts the invitation, changes what differs",
      invites: ["GET invites", "PATCH invites/id"],
      users: ["GET users", "GET users/id", "PATCH users/id"],
    },
    read: {
      does: "`PENDING`, with roles and teams as found",
      invites: ["GET invites"],
      users: ["GET users"],
    },
    update: {
      does: "changes the invitation",
      invites: ["PATCH invites/id"],
      users: ["GET users/id", "PATCH users/id"],
    },
    delete: {
      does: "cancels the invitation",
      invites: ["DELETE invites/id"],
      users: ["GET users/id", "DELETE users/id"],
    },
  },
  "ACTIVE, fail": {
    create: {
      does: "error: already a member, and the choices",
      ...looks,
      refuses: /already a member.*"retain".*"manage"/,
    },
    read: { does: "`ACCEPTED`", ...looks },
    update: {
      does: "error, and the choices",
      ...updateInVain,
      refuses: /has accepted.*changed.*"manage".*"retain"/,
    },
    delete: {
      does: "error, and the choices",
      ...deleteInVain,
      refuses: /has accepted.*deleted.*"retain".*"manage"/,
    },
  },
  "ACTIVE, retain": {
    create: { does: "adopts the member unchanged", ...looks },
    read: { does: "`ACCEPTED`", ...looks },
    update: {
      does: "error, and the choices",
      ...updateInVain,
      refuses: /has accepted.*changed.*"manage".*"retain"/,
    },
    delete: { does: "forgets the resource, keeps the member", ...deleteInVain },
  },
  "ACTIVE, manage": {
    create: { does: "adopts the member, changes what differs", ...after(looks, both("PATCH users/id")) },
    read: { does: "`ACCEPTED`, with roles and teams as found", ...looks },
    update: { does: "changes the member", ...after(updateInVain, both("PATCH users/id")) },
    delete: { does: "removes the member", ...after(deleteInVain, both("DELETE users/id")) },
  },
  INVITATION_EXPIRED: {
    create: invites,
    read: { does: "`EXPIRED`", ...looks },
    update: { does: "error: expired", ...updateInVain, refuses: /expired on \d{4}-.*reinviteExpired/ },
    delete: { does: "done", ...deleteInVain },
  },
  INVITATION_REJECTED: {
    create: invites,
    read: { does: "`REJECTED`", ...looks },
    update: { does: "error: rejected", ...updateInVain, refuses: /was rejected.*--target-replace/ },
    delete: { does: "done", ...deleteInVain },
  },
};
