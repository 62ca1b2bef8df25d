import * as pulumi from "@pulumi/pulumi";
import { OrgInvitation } from "pulumi-atlas-invitations";

const orgId = new pulumi.Config().require("orgId");

const ada = new OrgInvitation("ada", { orgId, username: "ada@example.com", roles: ["ORG_MEMBER"] });
new OrgInvitation("grace", { orgId, username: "grace@example.com", roles: ["ORG_OWNER"] });

export const adaStatus = ada.status;
