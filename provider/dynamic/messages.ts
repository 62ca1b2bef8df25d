import { type AtlasApiError, AtlasError, type AtlasErrorKind, asSentence } from "../atlas/errors.ts";
import type { LifecycleErrorKind, RefusedError } from "../lifecycle/lifecycle-error.ts";
import type { ConfigErrorKind } from "../settings/atlas-config-error.ts";

/**
 * The message that Pulumi displays: what happened and why, which the error says itself, and what a user of Pulumi can do.
 * An error that another one caused has the next steps of both.
 */
export function messageOf(error: AtlasError<string>): string {
  return [error.message, ...nextSteps(error)].map((message) => asSentence({ message })).join(" ");
}

function nextSteps(error: AtlasError<string>): string[] {
  const ofCause = error.cause instanceof AtlasError ? nextSteps(error.cause) : [];
  const step = NEXT_STEPS[error.kind as ErrorKind];
  const own = typeof step === "function" ? step(error) : step;
  return own === undefined ? ofCause : [...ofCause, own];
}

type ErrorKind = AtlasErrorKind | LifecycleErrorKind | ConfigErrorKind;
type NextStep = string | ((error: AtlasError<string>) => string | undefined) | undefined;

/** Every sentence of an error that depends on Pulumi. `undefined`: the error itself says what to do. */
const NEXT_STEPS: Record<ErrorKind, NextStep> = {
  api: (error) => apiStep(error as AtlasApiError),
  network:
    "Check the network, the proxy, and mongodbatlas:baseUrl or MONGODB_ATLAS_BASE_URL if you set it, and run the command again.",
  untrustedCertificate: undefined,
  invalidProxy: undefined,
  waitTooLong: "Run the command again later, or raise mongodbatlas:maxWait.",
  cancelled: "Run the command again.",
  stale: "Run pulumi up again.",
  noToken: undefined,
  inconsistentPages: "Run the command again.",
  unusableEntry: "Run the command again. If the error stays, update pulumi-atlas-invitations.",
  unknownPerson: undefined,
  unknownStatus: undefined,
  refused: (error) => refusalStep(error as RefusedError),
  incompleteCreate: "Run pulumi up again to complete it.",
  accessNotTaken:
    'If an identity provider manages the roles of the organization, change them there, declare what Atlas has, or set onAccepted to "retain". If it is about teams or project roles of an invitation, set mongodbatlas:invitationsApi to v2.',
  listsDisagree: "Run the command again. If the error stays, change or cancel it in Atlas.",
  successorFailed: "Correct the error of the other resource, and run pulumi up again.",
  invalidState:
    "Correct the state with pulumi stack export and import, or forget the resource with pulumi state delete and its URN.",
  noCredentials:
    "Or set mongodbatlas:publicKey and mongodbatlas:privateKey, or mongodbatlas:clientId and mongodbatlas:clientSecret, in the stack configuration; use pulumi config set --secret for the private key and the secret.",
  incompleteCredentials: undefined,
  invalidSetting: undefined,
  conflictingSettings: undefined,
  nodeVersion: undefined,
  packageNotFound: undefined,
};

const ORGANIZATION_GONE =
  "If the organization is gone, pulumi state delete and the URN forgets the resource; the resource option deletedWith does so for all resources of an organization that the program declares.";

function apiStep({ errorCode = "" }: AtlasApiError): string | undefined {
  if (["USER_CANNOT_ACCESS_ORG", "ORG_NOT_FOUND", "INVALID_ORG_ID", "NOT_ATLAS_ORG"].includes(errorCode)) {
    return ORGANIZATION_GONE;
  }
  if (["CANNOT_DEMOTE_LAST_ORG_OWNER", "CANNOT_DELETE_LAST_ADMIN"].includes(errorCode)) {
    return 'Or set onAccepted to "retain" and run pulumi up: destroying the resource then keeps this member.';
  }
  return undefined;
}

function refusalStep({ operation, row }: RefusedError): string {
  switch (row) {
    case "nothing":
      return "Run pulumi refresh, then pulumi up to invite them again.";
    case "INVITATION_EXPIRED":
      return "Run pulumi refresh; then set reinviteExpired to true to invite them again, or remove the resource.";
    case "INVITATION_REJECTED":
      return "Remove the resource, or invite them again with pulumi up --target-replace and its URN.";
  }
  switch (operation) {
    case "create":
      return 'If this resource was renamed or moved, give it aliases, so that it keeps its state. Otherwise set onAccepted to "retain" (keep the member as they are) or "manage" (change the member to what is declared; destroying the resource then removes them), or remove the resource.';
    case "delete":
      return 'Set onAccepted to "retain" (keep the member, forget the invitation) or "manage" (remove the member), run pulumi up, then destroy again. If the program no longer declares them, pulumi state delete and the URN forgets the resource and keeps the member.';
    default:
      return 'Set onAccepted to "manage" (change the member, and remove them on destroy), or undo the change and set it to "retain" (keep the member as they are).';
  }
}
