export { AtlasApiError, AtlasConfigError, AtlasError, AtlasNetworkError } from "./atlas/errors.ts";
export { AtlasProvider, type AtlasProviderArgs } from "./program/atlas-provider.ts";
export {
  type GroupRoleAssignmentArgs,
  OrgInvitation,
  type OrgInvitationArgs,
} from "./program/org-invitation.ts";
