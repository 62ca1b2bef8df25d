export { AtlasProvider, type AtlasProviderArgs } from "./atlas-provider.ts";
export { AtlasApiError, AtlasConfigError, AtlasError, AtlasNetworkError } from "./errors.ts";
export {
  type GroupRoleAssignmentArgs,
  OrgInvitation,
  type OrgInvitationArgs,
} from "./org-invitation.ts";
