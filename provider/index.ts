export type { OnAccepted, Status } from "./lifecycle/membership.ts";
export type { GroupRole, OrgRole } from "./lifecycle/roles.ts";
export { AtlasProvider, type AtlasProviderArgs } from "./program/atlas-provider.ts";
export {
  type GroupRoleAssignmentArgs,
  OrgInvitation,
  type OrgInvitationArgs,
} from "./program/org-invitation.ts";
export type { InvitationsApiVersion } from "./settings/settings.ts";
