export { AtlasApiError, AtlasConfigError, AtlasError, AtlasNetworkError } from "./errors.ts";
export {
  type GroupRoleAssignmentArgs,
  OrgInvitation,
  type OrgInvitationArgs,
} from "./org-invitation.ts";
