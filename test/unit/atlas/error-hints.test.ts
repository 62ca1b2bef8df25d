import { expect, test } from "vitest";
import { hintFor } from "../../../provider/atlas/error-hints.ts";

const source = "the environment (MONGODB_ATLAS_PUBLIC_KEY and MONGODB_ATLAS_PRIVATE_KEY)";

// The codes that Atlas documents or was seen to send, by what the user has to look at.
test.each([
  ["the access list", 403, "ORG_REQUIRES_ACCESS_LIST"],
  ["the access list", 403, "IP_ADDRESS_NOT_ON_ACCESS_LIST"],
  ["the access list", 403, "ORG_REQUIRES_WHITELIST"],
  ["the access list", 403, "RESOURCE_REQUIRES_WHITELIST"],
  ["the access list", 403, "IP_ADDRESS_NOT_ON_WHITELIST"],
  ["the role Organization Owner", 401, "NOT_ORG_OWNER"],
  ["the role Organization Owner", 403, "NOT_ORG_OWNER"],
  ["the role Organization Owner", 401, "USER_UNAUTHORIZED"],
  ["the role Organization Owner", 403, "USER_UNAUTHORIZED"],
  ["the role Organization Owner", 401, "NOT_USER_ADMIN"],
  ["the role Organization Owner", 401, "NOT_ORG_USER_ADMIN"],
  ["use one of this organization", 401, "USER_CANNOT_ACCESS_ORG"],
  ["Check orgId", 401, "USER_CANNOT_ACCESS_ORG"],
  ["pulumi state delete", 401, "USER_CANNOT_ACCESS_ORG"],
  ["deletedWith", 401, "USER_CANNOT_ACCESS_ORG"],
  ["Check orgId", 404, "ORG_NOT_FOUND"],
  ["Check orgId", 404, "INVALID_ORG_ID"],
  ["Check orgId", 404, "NOT_ATLAS_ORG"],
  ["pulumi state delete", 404, "ORG_NOT_FOUND"],
  ["deletedWith", 404, "ORG_NOT_FOUND"],
  ["Check groupRoleAssignments", 404, "GROUP_NOT_FOUND"],
  ["Check groupRoleAssignments", 404, "INVALID_GROUP_ID"],
  ["Check groupRoleAssignments", 401, "USER_CANNOT_ACCESS_GROUP"],
  ["Check groupRoleAssignments", 401, "NOT_IN_GROUP"],
  ["Check teamIds", 404, "TEAM_NOT_FOUND"],
  ["Check teamIds", 404, "INVALID_TEAM_ID"],
  ["Check teamIds", 404, "TEAM_NOT_IN_ORG"],
  ["make somebody else one first", 403, "CANNOT_DEMOTE_LAST_ORG_OWNER"],
  ["make somebody else one first", 403, "CANNOT_DELETE_LAST_ADMIN"],
  ['set onAccepted to "retain"', 403, "CANNOT_DEMOTE_LAST_ORG_OWNER"],
  ['set onAccepted to "retain"', 403, "CANNOT_DELETE_LAST_ADMIN"],
  ["An identity provider manages the roles", 400, "FEDERATED_USER_ATTRIBUTES_CANNOT_BE_UPDATED"],
  ['set onAccepted to "retain"', 400, "FEDERATED_USER_ATTRIBUTES_CANNOT_BE_UPDATED"],
  ["Wait until some of its tokens expire", 403, "access_denied"],
  ["federation settings", 400, "DOMAIN_NOT_IN_ALLOW_LIST"],
  ["federation settings", 403, "USER_ORGS_RESTRICTED"],
  ["The organization is full", 400, "MAX_USERS_PER_ORG_EXCEEDED"],
])("advises %s on %i %s", (what, status, errorCode) => {
  expect(hintFor(status, errorCode, source)?.toLowerCase()).toContain(what.toLowerCase());
});

test.each([undefined, "UNEXPECTED_ERROR"])(
  "names the source of a key that is refused with 401 %s",
  (errorCode) => {
    expect(hintFor(401, errorCode, source)).toBe(
      `Atlas does not accept the credentials read from ${source}: check them, and that they still exist.`,
    );
  },
);

test.each([undefined, "ACCESS_FORBIDDEN"])(
  "names the source of a key that may not do this, with 403 %s",
  (errorCode) => {
    const advice = hintFor(403, errorCode, source);

    expect(advice).toContain(`The credentials read from ${source} may not do this`);
    expect(advice).toContain("Organization Owner");
    expect(advice).toContain("access list");
  },
);

// A 405 is documented for an upgrade of Atlas, and was recorded without a body; a 408 is a proxy's.
test.each([405, 408, 500, 502, 503, 504, 520, 524])("advises patience on %i", (status) => {
  expect(hintFor(status, undefined, source)).toContain("try again later");
  expect(hintFor(status, "UNEXPECTED_ERROR", source)).toContain("try again later");
});

test.each([200, 204, 301, 302, 307, 308, 404])(
  "advises a look at who answers on %i without a code",
  (status) => {
    expect(hintFor(status, undefined, source)).toBe(
      "Check that no proxy answers in place of Atlas, and the base URL, if you set one.",
    );
  },
);

test.each([
  [400, "INVALID_EMAIL_ADDRESS"],
  [400, undefined],
  [404, "INVALID_INVITATION_ID"],
  [409, "USER_ALREADY_EXISTS"],
  [400, "constructor"],
])("leaves %i %s to what Atlas says about it", (status, errorCode) => {
  expect(hintFor(status, errorCode, source)).toBeUndefined();
});
