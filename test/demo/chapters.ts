import type { Organization } from "../support/simulated-atlas/organization.ts";
import type { SimulatedAtlas } from "../support/simulated-atlas/simulated-atlas.ts";

/** One part of the demo. */
export interface Chapter {
  title: string;
  text: string;
  /** What happens in Atlas without Pulumi, before the commands. */
  events?: [text: string, apply: () => void][];
  steps?: Step[];
}

/** A command, how it has to end, and what the reader can learn from it. */
export interface Step {
  /** What follows `pulumi` on the command line. */
  command: string;
  env?: Record<string, string>;
  /** @default false */
  fails?: boolean;
  /** What Atlas has to receive, in the form of `summarize`. @default "no request" */
  requests?: string;
  /** Texts that have to be in the output. */
  prints?: string[];
  /** What the command proves. */
  proves?: string;
}

/** The number of chapters that `--keep` plays: after them, invitations differ from the program. */
export const CHAPTERS_BEFORE_KEEP = 3;

const STATUSES = ["ACCEPTED", "REJECTED", "EXPIRED"].map((status) => `"PENDING" => "${status}"`);
const V1 = { MONGODB_ATLAS_INVITATIONS_API: "v1.0" };

/** The whole demo, for `examples/basic` and an organization without members. */
export function chapters(atlas: SimulatedAtlas, organization: Organization): Chapter[] {
  return [
    {
      title: "The plan",
      text: "examples/basic declares five people. A preview shows what will happen.",
      steps: [
        { command: `config set orgId ${organization.id}` },
        { command: "preview", proves: "a first preview sends no request to Atlas" },
      ],
    },
    {
      title: "The invitations",
      text: "pulumi up invites four people and adopts the invitation that barbara has already.",
      events: [
        [
          "a colleague invites barbara in the Atlas UI, with another role",
          () => organization.invite("barbara@example.com", { roles: ["ORG_READ_ONLY"] }),
        ],
      ],
      steps: [
        {
          command: "up --yes --skip-preview",
          requests: "PATCH invites, 4 POST invites",
          prints: ["adopted the invitation"],
          proves: "four people get one e-mail each; barbara gets the declared role and no second e-mail",
        },
      ],
    },
    {
      title: "In Atlas, weeks later",
      text: "Invitations change without Pulumi.",
      events: [
        ["ada accepts her invitation", () => organization.accept("ada@example.com")],
        [
          "a colleague makes grace an owner",
          () => organization.change("grace@example.com", { roles: ["ORG_OWNER"] }),
        ],
        ["joan rejects her invitation", () => organization.reject("joan@example.com")],
        ["edsger's invitation expires after 30 days", () => organization.expire("edsger@example.com")],
      ],
    },
    {
      title: "The changes in a preview",
      text: "The next preview shows all four changes, for example in a pull request.",
      steps: [
        {
          command: "preview --refresh --diff",
          requests: "reads only",
          prints: [...STATUSES, '"ORG_MEMBER" => "ORG_OWNER"', "(replace)"],
          proves: "two lists contain all five statuses; reinviteExpired replaces an expired invitation",
        },
      ],
    },
    {
      title: "The repair",
      text: "pulumi up does what the preview shows. It changes nothing for members (ada) and for rejected invitations (joan).",
      steps: [
        {
          command: "up --refresh --yes --skip-preview",
          requests: "PATCH invites, POST invites",
          proves: "grace has her declared role again; edsger has a new invitation",
        },
      ],
    },
    {
      title: "Destroy, with a member in the stack",
      text: "Pending invitations are cancelled. The program does not say what happens to members, so ada stays.",
      steps: [
        {
          command: "destroy --yes --skip-preview --continue-on-error",
          fails: true,
          requests: "3 DELETE invites",
          prints: ["ada@example.com has accepted", "onAccepted"],
          proves: "the error names the reason and the ways out",
        },
      ],
    },
    {
      title: "The choice",
      text: "With onAccepted manage, Pulumi also removes members. Only ada is updated here: an up without --target would invite the others again.",
      steps: [
        { command: "config set onAccepted manage" },
        {
          command: "up --yes --skip-preview --target '**ada' --suppress-outputs",
          proves: "to store the choice sends no request",
        },
        {
          command: "destroy --yes --skip-preview",
          requests: "DELETE users",
          proves: "one member is removed, and the stack is empty",
        },
      ],
    },
    {
      title: "Debug output",
      text: "The same program on version 1.0 of the API: it invites everybody again, then cancels one invitation.",
      steps: [
        { command: "config set onAccepted fail" },
        { command: "up --yes --skip-preview --suppress-outputs", env: V1, requests: "5 POST invites" },
        {
          command: "destroy --yes --skip-preview --target '**grace' --suppress-outputs",
          env: { ...V1, MONGODB_ATLAS_DEBUG: "1" },
          requests: "DELETE invites",
          prints: [`DELETE /api/atlas/v1.0/orgs/${organization.id}/invites/`],
          proves: "to cancel an invitation takes one DELETE, after the challenge of digest authentication",
        },
      ],
    },
    {
      title: "2027-07-01: Atlas retires the invitations API",
      text: "The program and its state stay as they are: the provider goes on with the users API.",
      events: [["every request to the invitations API is answered 410", () => atlas.sunset()]],
      steps: [
        {
          command: "up --refresh --yes --skip-preview --suppress-outputs",
          env: V1,
          requests: "POST users",
          proves: "the four pending invitations stay; grace is invited through the users API",
        },
        {
          command: "destroy --yes --skip-preview",
          env: V1,
          requests: "5 DELETE users",
          proves: "all five are cancelled, each after a GET: this DELETE would remove a member, too",
        },
      ],
    },
  ];
}
