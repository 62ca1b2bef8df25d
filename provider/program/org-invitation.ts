import * as pulumi from "@pulumi/pulumi";
import type { OnAccepted, Status } from "../lifecycle/membership.ts";
import type { GroupRole, OrgRole } from "../lifecycle/roles.ts";
import { assertNodeVersion } from "../settings/node-version.ts";
import { assertPackageFound } from "./package-resolution.ts";

/** Roles in one project of the organization. */
export interface GroupRoleAssignmentArgs {
  /** Id of the project: 24 hexadecimal digits. */
  groupId: pulumi.Input<string>;
  /** At least one project role, such as `GROUP_READ_ONLY`. Order and duplicates mean nothing. */
  roles: pulumi.Input<pulumi.Input<GroupRole>[]>;
}

/** The invitation of a person to an organization. Invalid arguments fail the preview, all of them at once. */
export interface OrgInvitationArgs {
  /** Id of the organization: 24 hexadecimal digits. Changing it replaces the invitation. */
  orgId: pulumi.Input<string>;
  /** E-mail address of the person. Changing it replaces the invitation; letter case is not a change. */
  username: pulumi.Input<string>;
  /**
   * At least one organization role, such as `ORG_MEMBER`. Order and duplicates mean nothing. Updated in place.
   * A role that this version does not know is a warning, and is sent to Atlas.
   */
  roles: pulumi.Input<pulumi.Input<OrgRole>[]>;
  /**
   * Ids of teams that the person is to join, each 24 hexadecimal digits. Updated in place.
   *
   * If the argument is left out, teams are not managed: they are not sent, not shown as drift and not removed. `[]`
   * means no teams: a team that somebody adds in Atlas shows as drift, and the next `up` removes it. Removing the
   * argument removes the teams that it declared, and keeps those that others added.
   */
  teamIds?: pulumi.Input<pulumi.Input<string>[]> | undefined;
  /**
   * Roles in projects of the organization. Updated in place.
   *
   * If the argument is left out, project roles are not managed, as with `teamIds`. `[]` means no project roles.
   * Removing the argument removes the roles that it declared, and keeps those that others added.
   */
  groupRoleAssignments?: pulumi.Input<pulumi.Input<GroupRoleAssignmentArgs>[]> | undefined;
  /**
   * What happens to a person who has accepted, or who is already a member when the resource is created.
   *
   * - `fail`: create, update and delete are errors that name the choices. Nothing is changed.
   * - `retain`: the member is not changed. Deleting the resource keeps the member.
   * - `manage`: the member is changed to what is declared. Deleting the resource removes the member.
   *
   * A change of this argument alone is stored without a request, and applies from the next operation on.
   *
   * @default "fail"
   */
  onAccepted?: pulumi.Input<OnAccepted> | undefined;
  /**
   * Whether an invitation that expired, after 30 days, is replaced by a new one. The next `up` after a refresh plans the
   * replacement, because of `expiresAt`. Otherwise the invitation stays in the state as `EXPIRED`.
   *
   * @default false
   */
  reinviteExpired?: pulumi.Input<boolean> | undefined;
}

const TYPE = "pulumi-nodejs:dynamic/mongodbatlas:OrgInvitation";

/**
 * Makes the plugin host load `./provider` of the copy of this package that the program uses. Every state file contains
 * this constant, so it must not change. It contains no secret.
 */
const PROVIDER =
  'exports.handler=()=>require("module").createRequire(process.cwd()+"/_")("pulumi-atlas-invitations/provider")';

/**
 * Invites a person to a MongoDB Atlas organization. Removing the resource cancels the pending invitation.
 *
 * The Pulumi id is the invitation's id, or the user's id where Atlas gave no invitation id. A pending invitation
 * of the person is adopted without a second e-mail. Two resources that declare the same person in the same
 * organization are an error that names both.
 *
 * Give `aliases` to a resource that is renamed, or moved to another parent. Otherwise Pulumi creates a new
 * resource and deletes the old one.
 */
export class OrgInvitation extends pulumi.CustomResource {
  declare readonly orgId: pulumi.Output<string>;
  /** In lower case. */
  declare readonly username: pulumi.Output<string>;
  declare readonly roles: pulumi.Output<string[]>;
  /** What Atlas has, whether it is declared or not. */
  declare readonly teamIds: pulumi.Output<string[]>;
  /** What Atlas has, whether it is declared or not. */
  declare readonly groupRoleAssignments: pulumi.Output<{ groupId: string; roles: string[] }[]>;
  declare readonly onAccepted: pulumi.Output<OnAccepted>;
  declare readonly reinviteExpired: pulumi.Output<boolean>;
  /** Absent for a person who was a member already, and where the `users` API invited. */
  declare readonly invitationId: pulumi.Output<string | undefined>;
  /** Absent until the users API lists the person. It differs from the invitation's id. */
  declare readonly userId: pulumi.Output<string | undefined>;
  /** The status of the invitation, as of the last operation or refresh. */
  declare readonly status: pulumi.Output<Status>;
  /** When the invitation was sent: ISO 8601, UTC. Absent for a person who was a member already. */
  declare readonly createdAt: pulumi.Output<string | undefined>;
  /** 30 days after `createdAt`: ISO 8601, UTC. A change of the invitation does not extend it. */
  declare readonly expiresAt: pulumi.Output<string | undefined>;
  /** An e-mail address, or the public key of the API key that invited. */
  declare readonly inviterUsername: pulumi.Output<string | undefined>;
  declare readonly orgName: pulumi.Output<string | undefined>;

  /**
   * @param name Name of the resource, unique in the stack.
   * @param args What is declared about the person.
   * @param opts Resource options of Pulumi. A renamed resource needs `aliases`. `import` does not work for dynamic
   *   resources: creation adopts a pending invitation and, with `onAccepted` `retain` or `manage`, a member.
   */
  constructor(name: string, args: OrgInvitationArgs, opts?: pulumi.CustomResourceOptions) {
    assertRuntime();
    const { orgId, username, roles, teamIds, groupRoleAssignments, onAccepted, reinviteExpired } = args;
    const resource = { name, urn: () => urnOf(name, opts?.parent) };
    super(
      TYPE,
      name,
      {
        // Unknown arguments are passed on, so that the check reports them.
        ...args,
        orgId,
        username,
        roles,
        teamIds,
        groupRoleAssignments,
        onAccepted,
        reinviteExpired,
        // Pulumi loses an output that is not declared here when an update leaves it out (pulumi#6587).
        invitationId: undefined,
        userId: undefined,
        status: undefined,
        createdAt: undefined,
        expiresAt: undefined,
        inviterUsername: undefined,
        orgName: undefined,
        __resource: urnUnlessDeclaredTwice(resource, orgId, username),
        __provider: PROVIDER,
      },
      opts,
    );
  }
}

/** Rejects what would otherwise fail in Pulumi's plugin process, without a next step. */
function assertRuntime(): void {
  try {
    assertNodeVersion();
    // Set by Pulumi's language host, which runs the program in the folder that the plugin uses (cmd/run of the SDK).
    // An inline program of the Automation API may run in another folder.
    if (process.env.PULUMI_NODEJS_ENGINE !== undefined) assertPackageFound();
  } catch (error) {
    throw new pulumi.RunError((error as Error).message);
  }
}

interface Declaration {
  name: string;
  urn: () => Promise<string>;
}

/** A promise: an output would make the resource depend on its parent, and so on all children of a component. */
function urnOf(name: string, parent: pulumi.Resource | undefined): Promise<string> {
  return new Promise((resolve) => {
    pulumi.createUrn(name, TYPE, parent).apply(resolve);
  });
}

/** The declarations of each run of a program, by person and organization. */
const runs = new WeakMap<object, Map<string, Declaration>>();

/**
 * The URN of the resource, or an error if another resource declares the same person. As an input, it delays the
 * registration until then, and tells the plugin which resource it is; the check of inputs removes it. It is
 * `undefined` where mocks replace the engine, so that a program's tests see only what it declares.
 */
function urnUnlessDeclaredTwice(
  resource: Declaration,
  orgId: pulumi.Input<string>,
  username: pulumi.Input<string>,
): pulumi.Input<string | undefined> {
  // Each run has its own connection to the engine, and so has each test of a program that sets mocks.
  const run = pulumi.runtime.getMonitor() ?? runs;
  const declared = runs.get(run) ?? new Map<string, Declaration>();
  runs.set(run, declared);
  const urn = async () => (pulumi.runtime.getEngine() ? resource.urn() : undefined);
  const declare = (orgId: unknown, username: unknown): Promise<string | undefined> => {
    // The check of inputs rejects these, such as the value of a variable that is not set.
    if (!isText(orgId) || !isText(username)) return urn();
    const person = `${username} in ${orgId}`.toLowerCase();
    const other = declared.get(person);
    if (other === undefined) {
      declared.set(person, resource);
      return urn();
    }
    if (other.name !== resource.name) throw new DeclaredTwiceError(person, other.name, resource.name);
    return sameResource(person, other, resource).then(urn);
  };
  // Throws before anything is registered, if both are known already.
  if (typeof orgId === "string" && typeof username === "string") return declare(orgId, username);
  // The URN is no secret, even if the person is.
  return pulumi
    .unsecret(pulumi.all([orgId, username]))
    .apply(([orgId, username]) => declare(orgId, username));
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.trim() !== "";
}

/** Tests of a program that share their mocks declare a resource again, which an engine would reject. */
async function sameResource(person: string, one: Declaration, other: Declaration): Promise<void> {
  const [urn, otherUrn] = await Promise.all([one.urn(), other.urn()]);
  if (urn !== otherUrn) throw new DeclaredTwiceError(person, urn, otherUrn);
}

/** Shown as one line without a stack, even when an input throws it: nothing can be added to its message. */
class DeclaredTwiceError extends pulumi.RunError {
  constructor(person: string, one: string, other: string) {
    const text = `${person} is declared twice, by the resources "${one}" and "${other}". Remove one of them.`;
    super(text);
    // The SDK prepends the name of the input to the message, and shows the stack of a late error.
    Object.defineProperty(this, "message", { get: () => text, set: () => undefined });
    this.stack = text;
  }
}
