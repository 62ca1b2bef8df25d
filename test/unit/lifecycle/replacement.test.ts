import { expect, test } from "vitest";
import { UNKNOWN } from "../../../provider/lifecycle/check-inputs.ts";
import { type Change, changeOf } from "../../../provider/lifecycle/replacement.ts";
import { ada, newAddress as other, team } from "./lifecycle-fixture.ts";

const orgId = "32b6e34b3d91647abb20e7b8";
const grace = "grace@example.com";
const inputs = { orgId, username: ada, roles: ["ORG_MEMBER"], onAccepted: "fail", reinviteExpired: false };
/** A state that 0.1.0 wrote: `[]` for the lists that are not declared. */
const from010 = { status: "PENDING", teamIds: [], groupRoleAssignments: [] };
const oneTeam = { teamIds: [team] };
const update: Change = { replaces: [], deleteBeforeReplace: false };
const both = { replaces: ["orgId", "username"] };
const again = { reinviteExpired: true };
const sameAgain = { changes: true, replaces: ["expiresAt"], deleteBeforeReplace: true };
const byNew = { changes: true, replaces: ["username", "expiresAt"] };

test.each<[what: string, olds: object, news: object, change: Partial<Change>]>([
  ["nothing", { status: "PENDING" }, {}, {}],
  ["roles and onAccepted", { status: "PENDING" }, { roles: ["ORG_OWNER"], onAccepted: "manage" }, {}],
  ["the organization and the person", {}, { orgId: team, username: grace }, both],
  ["the organization to an unknown one", {}, { orgId: UNKNOWN }, { replaces: ["orgId"] }],
  ["the letter case", { orgId: orgId.toUpperCase(), username: ada.toUpperCase() }, {}, {}],
  ["the address to the one that Atlas has", { __knownAs: other }, { username: other }, {}],
  ["the address to another person's", { __knownAs: other }, { username: grace }, { replaces: ["username"] }],
  ["a state without an address", { orgId: undefined, username: undefined }, {}, both],
  ["an expired invitation to send again", { status: "EXPIRED" }, again, sameAgain],
  ["an expired invitation and the person", { status: "EXPIRED" }, { ...again, username: grace }, byNew],
  ["an expired invitation to keep", { status: "EXPIRED" }, {}, {}],
  ["reinviteExpired of a pending invitation", { status: "PENDING" }, again, {}],
  ["a state of 0.1.0 without lists", from010, {}, { changes: false }],
  ["a state of 0.1.0 with one list", { ...from010, ...oneTeam }, oneTeam, { changes: false }],
  ["the roles of a state of 0.1.0", from010, { roles: ["ORG_OWNER"] }, {}],
  ["the teams of a state of 0.1.0", from010, oneTeam, {}],
  ["the teams of a state of 0.1.0 to none", from010, { teamIds: [] }, {}],
  ["the teams of a state of 0.1.0 to unknown ones", from010, { teamIds: UNKNOWN }, {}],
])("a change of %s", (_, olds, news, change) => {
  expect(changeOf({ ...inputs, ...olds }, { ...inputs, ...news })).toEqual({ ...update, ...change });
});
