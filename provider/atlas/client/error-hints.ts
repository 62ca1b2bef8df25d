/** What to check after an error that the person is not the cause of: by its `errorCode`, otherwise by its status. */
export function hintFor(
  status: number,
  errorCode: string | undefined,
  credentialsSource: string,
): string | undefined {
  const byCode = HINTS.find(([codes]) => errorCode !== undefined && codes.includes(errorCode));
  if (byCode) return byCode[1];
  // Digest answers 401 alike for a wrong public key, a wrong private key and no key at all (recorded).
  if (status === 401) {
    return `Atlas does not accept the credentials read from ${credentialsSource}: check them, and that they still exist.`;
  }
  if (status === 403) {
    return `The credentials read from ${credentialsSource} may not do this: check that they have the role Organization Owner, and their access list.`;
  }
  // A 405 is documented for an upgrade of Atlas. A proxy answers 408.
  if (status >= 500 || status === 405 || status === 408) {
    return "Atlas, or a proxy in front of it, has a failure: try again later.";
  }
  // A 2xx comes here when its body is not Atlas's. Atlas never redirects, and its 404s usually have an errorCode.
  if (status < 400 || (status === 404 && errorCode === undefined)) {
    return "Check the base URL, if you set one, and that no proxy answers in place of Atlas.";
  }
  return undefined;
}

const HINTS: [errorCodes: string[], hint: string][] = [
  [
    // The last three are the names that Atlas's error page still prints.
    [
      "ORG_REQUIRES_ACCESS_LIST",
      "IP_ADDRESS_NOT_ON_ACCESS_LIST",
      "ORG_REQUIRES_WHITELIST",
      "RESOURCE_REQUIRES_WHITELIST",
      "IP_ADDRESS_NOT_ON_WHITELIST",
    ],
    "Add the address of this machine to the access list of the API key or service account, in the organization's Access Manager.",
  ],
  [
    ["NOT_ORG_OWNER", "USER_UNAUTHORIZED", "NOT_USER_ADMIN", "NOT_ORG_USER_ADMIN"],
    "The API key or service account needs the role Organization Owner in this organization.",
  ],
  [
    ["USER_CANNOT_ACCESS_GROUP", "NOT_IN_GROUP", "GROUP_NOT_FOUND", "INVALID_GROUP_ID"],
    "Check groupRoleAssignments: the organization has no such project.",
  ],
  [
    ["TEAM_NOT_FOUND", "INVALID_TEAM_ID", "TEAM_NOT_IN_ORG"],
    "Check teamIds: the organization has no such team.",
  ],
  [
    ["CANNOT_DEMOTE_LAST_ORG_OWNER", "CANNOT_DELETE_LAST_ADMIN"],
    "An organization needs an owner: make another member an owner first.",
  ],
  [
    ["FEDERATED_USER_ATTRIBUTES_CANNOT_BE_UPDATED"],
    'An identity provider manages the roles of this person: change them there, declare what Atlas has, or set onAccepted to "retain".',
  ],
  [
    ["USER_CANNOT_ACCESS_ORG"],
    "The API key or service account belongs to another organization: check orgId, or use one of this organization.",
  ],
  [
    ["ORG_NOT_FOUND", "INVALID_ORG_ID", "NOT_ATLAS_ORG"],
    "Check orgId: there is no such organization for this API key or service account.",
  ],
  [
    // Of the token endpoint, when a service account has a hundred active tokens.
    ["access_denied"],
    "Wait until some of its tokens expire, within the hour, or share the work with another service account.",
  ],
  [
    ["DOMAIN_NOT_IN_ALLOW_LIST", "USER_ORGS_RESTRICTED"],
    "The organization's federation settings do not allow this address: invite another one, or change the settings.",
  ],
  [
    ["MAX_USERS_PER_ORG_EXCEEDED"],
    "The organization is full: remove members or cancel invitations, which count too, or ask the vendor for a higher limit.",
  ],
];
