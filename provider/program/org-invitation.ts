import * as pulumi from "@pulumi/pulumi";
import { demandNode } from "../settings/node-version.ts";
import { demandPackage } from "./package-resolution.ts";

/** Project roles that the person is to have with the invitation. */
export interface GroupRoleAssignmentArgs {
  /** Id of the project: 24 hexadecimal digits. */
  groupId: pulumi.Input<string>;
  /** At least one project role, such as `GROUP_READ_ONLY`. Order and duplicates mean nothing. */
  roles: pulumi.Input<pulumi.Input<string>[]>;
}

/** One invitation of a person to an organization. Wrong arguments fail the preview, all of them at once. */
export interface OrgInvitationArgs {
  /** Id of the organization: 24 hexadecimal digits. Changing it replaces the invitation. */
  orgId: pulumi.Input<string>;
  /** E-mail address of the person. Changing it replaces the invitation; letter case is not a change. */
  username: pulumi.Input<string>;
  /**
   * At least one organization role, such as `ORG_MEMBER`. Order and duplicates mean nothing. Updated in place.
   * A role that this version does not know is sent to Atlas with a warning.
   */
  roles: pulumi.Input<pulumi.Input<string>[]>;
  /**
   * Ids of teams that the person is to join, each 24 hexadecimal digits. Updated in place.
   *
   * Teams that are left out are not managed here: they are neither sent, nor shown as drift, nor taken away.
   * `[]` means none: a team given in Atlas shows as drift, and the next `up` takes it away. An argument that was
   * declared and is removed takes back the teams that it declared, and leaves those that others gave.
   */
  teamIds?: pulumi.Input<pulumi.Input<string>[]> | undefined;
  /**
   * Roles in projects of the organization. Updated in place.
   *
   * Project roles that are left out are not managed here, as with `teamIds`. `[]` means none. An argument that
   * was declared and is removed takes back the roles that it declared, and leaves those that others gave.
   */
  groupRoleAssignments?: pulumi.Input<pulumi.Input<GroupRoleAssignmentArgs>[]> | undefined;
  /**
   * What becomes of a person who has accepted, or who is a member already when the resource is created.
   *
   * - `fail`: creating, changing and destroying are errors that name the choices; nothing is changed.
   * - `retain`: the member stays as they are; destroying forgets them.
   * - `manage`: the member is brought to the declared roles, and destroying removes them.
   *
   * A change of it alone is stored without any request, and counts from the next operation on.
   *
   * @default "fail"
   */
  onAccepted?: pulumi.Input<"fail" | "retain" | "manage"> | undefined;
  /**
   * Whether an invitation that expired, after 30 days, is replaced by a new one: the next `up` after a refresh
   * plans it, because of `expiresAt`. Otherwise it stays in the state, as `EXPIRED`.
   *
   * @default false
   */
  reinviteExpired?: pulumi.Input<boolean> | undefined;
}

const TYPE = "pulumi-nodejs:dynamic/mongodbatlas:OrgInvitation";

/**
 * The constant that makes the plugin host load `./provider` of this package: of the program's own copy, and of
 * this repository by its own name. Every state file holds it, so it never changes, and it holds no secret.
 */
const PROVIDER =
  'exports.handler=()=>require("module").createRequire(process.cwd()+"/_")("pulumi-atlas-invitations/provider")';

/**
 * Invites a person to a MongoDB Atlas organization. Removing the resource cancels the pending invitation.
 *
 * The Pulumi id is the invitation's id, or the user's id where Atlas gave no invitation id. A person who is
 * invited already is adopted, with no second e-mail. Declaring the same person of the same organization
 * twice in one program is an error that names both resources.
 *
 * Give a resource that is renamed, or moved to another parent, `aliases`: Pulumi takes it for a new resource
 * otherwise, and deletes the old one.
 */
export class OrgInvitation extends pulumi.CustomResource {
  declare readonly orgId: pulumi.Output<string>;
  /** In lower case. */
  declare readonly username: pulumi.Output<string>;
  declare readonly roles: pulumi.Output<string[]>;
  /** What Atlas has, whether it is managed here or not. */
  declare readonly teamIds: pulumi.Output<string[]>;
  /** What Atlas has, whether it is managed here or not. */
  declare readonly groupRoleAssignments: pulumi.Output<{ groupId: string; roles: string[] }[]>;
  declare readonly onAccepted: pulumi.Output<"fail" | "retain" | "manage">;
  declare readonly reinviteExpired: pulumi.Output<boolean>;
  /** Absent for a person who was a member already, and where the `users` API invited. */
  declare readonly invitationId: pulumi.Output<string | undefined>;
  /** Absent until the users API told of the person. It is not the invitation's id. */
  declare readonly userId: pulumi.Output<string | undefined>;
  /** What became of the invitation, as of the last operation or refresh. */
  declare readonly status: pulumi.Output<"PENDING" | "ACCEPTED" | "EXPIRED" | "REJECTED">;
  /** When the invitation was sent: ISO 8601, UTC. Absent for a person who was a member already. */
  declare readonly createdAt: pulumi.Output<string | undefined>;
  /** 30 days after `createdAt`: ISO 8601, UTC. Changing the invitation does not move it. */
  declare readonly expiresAt: pulumi.Output<string | undefined>;
  /** Who invited: an e-mail address, or the public key of an API key. */
  declare readonly inviterUsername: pulumi.Output<string | undefined>;
  declare readonly orgName: pulumi.Output<string | undefined>;

  /**
   * @param name Name of the resource, unique in the stack.
   * @param args What is declared of the person.
   * @param opts Resource options of Pulumi. The class sets none of them, and so not `deleteBeforeReplace`. A
   *   renamed resource needs `aliases`. `import` does not work for dynamic resources: a pending invitation and,
   *   under `onAccepted` `retain` or `manage`, a member are adopted on creation instead.
   */
  constructor(name: string, args: OrgInvitationArgs, opts?: pulumi.CustomResourceOptions) {
    demandRuntime();
    const { orgId, username, roles, teamIds, groupRoleAssignments, onAccepted, reinviteExpired } = args;
    const resource = { name, urn: () => urnOf(name, opts?.parent) };
    super(
      TYPE,
      name,
      {
        // What is no argument of ours goes along, so that the check can name it.
        ...args,
        orgId,
        username,
        roles,
        teamIds,
        groupRoleAssignments,
        onAccepted,
        reinviteExpired,
        // Every output is named here, or Pulumi forgets it once an update leaves it out (pulumi#6587).
        invitationId: undefined,
        userId: undefined,
        status: undefined,
        createdAt: undefined,
        expiresAt: undefined,
        inviterUsername: undefined,
        orgName: undefined,
        __resource: onceDeclared(resource, orgId, username),
        __provider: PROVIDER,
      },
      opts,
    );
  }
}

/** Refuses what would fail only in Pulumi's plugin, and there without a word on what to do. */
function demandRuntime(): void {
  try {
    demandNode();
    // Set by Pulumi's language host, which runs the program in the folder of the plugin (cmd/run of the SDK). An
    // inline program of the Automation API may run in another folder.
    if (process.env.PULUMI_NODEJS_ENGINE !== undefined) demandPackage();
  } catch (error) {
    throw new pulumi.RunError((error as Error).message);
  }
}

interface Declaration {
  name: string;
  urn: () => Promise<string>;
}

/** A promise, as an output would make the resource depend on its parent, and so on all children of a component. */
function urnOf(name: string, parent: pulumi.Resource | undefined): Promise<string> {
  return new Promise((resolve) => {
    pulumi.createUrn(name, TYPE, parent).apply(resolve);
  });
}

/** The resources of each run of a program, by person and organization. */
const runs = new WeakMap<object, Map<string, Declaration>>();

/**
 * The URN of the resource, once it is clear that no other resource declares the same person. As an input it holds
 * back the registration of a second one, and tells the plugin which resource it is; the check of inputs drops it.
 * It is `undefined` where mocks take the place of the engine, so that a program's tests see only what it declares.
 */
function onceDeclared(
  resource: Declaration,
  orgId: pulumi.Input<string>,
  username: pulumi.Input<string>,
): pulumi.Input<string | undefined> {
  // Each run has a connection to the engine of its own, and so has each of a program's tests that sets its mocks.
  const run = pulumi.runtime.getMonitor() ?? runs;
  const declared = runs.get(run) ?? new Map<string, Declaration>();
  runs.set(run, declared);
  const urn = async () => (pulumi.runtime.getEngine() ? resource.urn() : undefined);
  const declare = (orgId: unknown, username: unknown): Promise<string | undefined> => {
    // The check of inputs refuses these: a variable that is not set, for one, names nobody.
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
  // Before anything is registered, where both are known already.
  if (typeof orgId === "string" && typeof username === "string") return declare(orgId, username);
  // The name of the resource is no secret, even if the person is.
  return pulumi
    .unsecret(pulumi.all([orgId, username]))
    .apply(([orgId, username]) => declare(orgId, username));
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.trim() !== "";
}

/** A resource is declared again where several tests of a program share their mocks; an engine refuses it. */
async function sameResource(person: string, one: Declaration, other: Declaration): Promise<void> {
  const [urn, otherUrn] = await Promise.all([one.urn(), other.urn()]);
  if (urn !== otherUrn) throw new DeclaredTwiceError(person, urn, otherUrn);
}

/** Shown as one line without a stack, also where it comes out of an input: its text cannot be added to. */
class DeclaredTwiceError extends pulumi.RunError {
  constructor(person: string, one: string, other: string) {
    const text = `${person} is declared twice, by the resources "${one}" and "${other}". Remove one of them.`;
    super(text);
    // The SDK puts the name of the input before the message, and shows the stack of a late error.
    Object.defineProperty(this, "message", { get: () => text, set: () => undefined });
    this.stack = text;
  }
}
