import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { ExportedState } from "../support/pulumi-cli/workspace.ts";
import type { MembershipStatus, Person } from "../support/simulated-atlas/organization.ts";
import { type Generation, USERS, V1, V2, withChallenge } from "./expected-requests.ts";
import { ADA, ALAN, EDSGER, GRACE } from "./fixtures.ts";
import { DESTROY, type InvitationStack, type InvitationStackOptions, REFRESH } from "./invitation-stack.ts";

const STATES = join(import.meta.dirname, "..", "states");

/** The versions of which states are kept. */
export const RELEASES = readdirSync(STATES, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

/** What a stored status was called by Atlas. */
const MEMBERSHIP: Record<string, MembershipStatus> = {
  PENDING: "PENDING",
  ACCEPTED: "ACTIVE",
  EXPIRED: "INVITATION_EXPIRED",
  REJECTED: "INVITATION_REJECTED",
};

/** The generation that wrote the state, and the one that is to go on with it. */
const READERS: [writer: Generation, reader: Generation][] = [
  [V1, V1],
  [V2, V2],
  [USERS, USERS],
  [V1, USERS],
  [V2, USERS],
];

type Outputs = Record<string, unknown> & { orgId: string; username: string; status: string };

/** Refreshes and destroys what an earlier version has stored, by the code as it is now. */
export function stateStories(
  release: string,
  start: (generation: Generation, options: InvitationStackOptions) => Promise<InvitationStack>,
): void {
  it.each(READERS.map(([writer, reader]) => ({ writer, reader, from: writer.name, to: reader.name })))(
    "on the $from API is refreshed and destroyed on the $to API",
    async ({ writer, reader }) => {
      const file = join(STATES, release, `${writer.name}.json`);
      const stored = outputsIn(JSON.parse(readFileSync(file, "utf8")));
      expect(
        Object.fromEntries(Object.values(stored).map(({ username, status }) => [username, status])),
      ).toEqual({
        [ADA]: "PENDING",
        [ALAN]: "ACCEPTED",
        [GRACE]: "EXPIRED",
        [EDSGER]: "REJECTED",
      });
      const now = () => Date.parse(String(stored.ada?.createdAt));
      const organizationId = stored.ada?.orgId;
      await using stack = await start(reader, { now, organizationId });
      const { atlas, organization, workspace, expected } = stack;
      for (const outputs of Object.values(stored)) organization.restore(personOf(outputs));
      await workspace.pulumi(["stack", "import", "--file", file]);

      const refreshed = await stack.run(REFRESH);
      expect(refreshed.requests).toEqual(withChallenge(expected.findOther));
      const { userId } = stack.person(ADA);
      const isByUserId = reader === USERS;
      expect(outputsIn(await workspace.state())).toEqual({
        ...stored,
        ada: { ...stored.ada, ...(isByUserId && { userId }) },
      });

      // The program that wrote the state: see write.ts. What it leaves out was stored as an empty list.
      const { teamIds, groupRoleAssignments } = stored.ada as Outputs;
      await stack.declare({
        ada: { teamIds, groupRoleAssignments },
        alan: { onAccepted: "retain" },
        grace: {},
        edsger: { roles: ["ORG_READ_ONLY"] },
      });
      expect((await stack.run("preview --expect-no-changes")).requests).toEqual([]);

      const before = organization.users;
      const ada = stack.person(ADA);
      const destroyed = await stack.run(DESTROY);
      // All are deleted at once: which request is the first, and asks for the challenge, is open.
      const challenges = destroyed.requests.filter((request) => request.endsWith("challenge"));
      expect(challenges).toHaveLength(1);
      expect(destroyed.requests.toSorted()).toEqual(
        [...challenges, ...expected.cancel(ada), ...expected.findOther].toSorted(),
      );
      expect(organization.users).toEqual(before.filter(({ username }) => username !== ADA));
      expect(outputsIn(await workspace.state())).toEqual({});
      expect(atlas.mails).toEqual([]);
    },
  );
}

/** The stored outputs of every invitation, by the name of its resource. */
function outputsIn({ deployment }: ExportedState): Record<string, Outputs> {
  const invitations = (deployment.resources ?? []).filter(({ type }) => type.endsWith(":OrgInvitation"));
  return Object.fromEntries(
    invitations.map(({ urn, outputs }) => [String(urn.split("::").at(-1)), outputs as Outputs]),
  );
}

/** The person in Atlas of whom such outputs were written. */
function personOf(outputs: Outputs): Person {
  const status = MEMBERSHIP[outputs.status] as MembershipStatus;
  const { username, roles, teamIds, groupRoleAssignments, createdAt, inviterUsername } = outputs as never;
  const isPending = status === "PENDING";
  return {
    username,
    roles,
    teamIds,
    groupRoleAssignments,
    status,
    createdAt,
    // Some generations do not tell of one of the two ids of somebody pending.
    userId: String(outputs.userId ?? "5f00000000000000000000a1"),
    ...(isPending && { invitationId: String(outputs.invitationId ?? "5f00000000000000000000a2") }),
    ...((isPending || status === "INVITATION_EXPIRED") && { expiresAt: String(outputs.expiresAt) }),
    ...(status !== "ACTIVE" && { inviterUsername }),
  };
}
