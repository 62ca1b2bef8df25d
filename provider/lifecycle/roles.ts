/** The roles in an organization that this version knows. Another role is a warning, as Atlas adds roles. */
export const ORG_ROLES = [
  "ORG_OWNER",
  "ORG_MEMBER",
  "ORG_GROUP_CREATOR",
  "ORG_BILLING_ADMIN",
  "ORG_BILLING_READ_ONLY",
  "ORG_STREAM_PROCESSING_ADMIN",
  "ORG_READ_ONLY",
] as const;

/** The roles in a project that this version knows. */
export const GROUP_ROLES = [
  "GROUP_ACCESS_MANAGER",
  "GROUP_ALERTS_MANAGER",
  "GROUP_BACKUP_CREATOR",
  "GROUP_BACKUP_EXPORT_OPERATOR",
  "GROUP_BACKUP_MANAGER",
  "GROUP_BACKUP_RECOVERY_OPERATOR",
  "GROUP_CLUSTER_CREATOR",
  "GROUP_CLUSTER_LOG_VIEWER",
  "GROUP_CLUSTER_MANAGER",
  "GROUP_CLUSTER_RESILIENCE_TESTER",
  "GROUP_DATABASE_ACCESS_ADMIN",
  "GROUP_DATA_ACCESS_ADMIN",
  "GROUP_DATA_ACCESS_READ_ONLY",
  "GROUP_DATA_ACCESS_READ_WRITE",
  "GROUP_INDEX_MANAGER",
  "GROUP_MODEL_OWNER",
  "GROUP_NETWORK_ACCESS_MANAGER",
  "GROUP_OBSERVABILITY_VIEWER",
  "GROUP_OWNER",
  "GROUP_READ_ONLY",
  "GROUP_REAL_TIME_PERFORMANCE_OPERATOR",
  "GROUP_REPLICA_SET_MANAGER",
  "GROUP_SEARCH_INDEX_EDITOR",
  "GROUP_STREAM_PROCESSING_OWNER",
  "GROUP_SUPPORT_ACCESS_MANAGER",
  "GROUP_TRIGGER_MANAGER",
] as const;

/** A role in an organization. Roles that Atlas adds later are allowed. */
export type OrgRole = (typeof ORG_ROLES)[number] | (string & {});

/** A role in a project. Roles that Atlas adds later are allowed. */
export type GroupRole = (typeof GROUP_ROLES)[number] | (string & {});
