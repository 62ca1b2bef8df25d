import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { ExportedState } from "../support/pulumi-cli/workspace.ts";
import type { MembershipStatus, Person } from "../support/simulated-atlas/organization.ts";
import { API_VERSIONS, USERS, unordered, V1, V2, withChallenge } from "./expected-requests.ts";
import { ADA, ALAN, DESTROY, EDSGER, GRACE, invitationsIn, REFRESH } from "./invitation-stack.ts";
import { startStack } from "./start-stack.ts";

const STATES = join(import.meta.dirname, "..", "states");
const RELEASES = readdirSync(STATES).filter((name) => name !== "write.ts");

const MEMBERSHIP: Record<string, MembershipStatus> = {
  PENDING: "PENDING",
  ACCEPTED: "ACTIVE",
  EXPIRED: "INVITATION_EXPIRED",
  REJECTED: "INVITATION_REJECTED",
};

type Outputs = Record<string, unknown> & { orgId: string; username: string; status: string };

// Every version goes on with its own state, and the users API with the state of every version.
const CASES = RELEASES.flatMap((release) =>
  [
    ...API_VERSIONS.map((version) => [version, version] as const),
    [V1, USERS] as const,
    [V2, USERS] as const,
  ].map(([writer, reader]) => ({ release, writer, reader })),
);

describe.concurrent("a state of an earlier release", () => {
  it.each(CASES)(
    "$release on the $writer.name API is refreshed, previewed and destroyed on the $reader.name API",
    async ({ release, writer, reader }) => {
      const file = join(STATES, release, `${writer.name}.json`);
      const stored = outputsIn(JSON.parse(readFileSync(file, "utf8")));
      const statuses = Object.values(stored).map(({ status }) => status);
      expect(statuses.sort()).toEqual(["ACCEPTED", "EXPIRED", "PENDING", "REJECTED"]);
      const now = () => Date.parse(String(stored.ada?.createdAt));
      await using stack = await startStack(reader, { now, organizationId: stored.ada?.orgId });
      const { atlas, organization, workspace, expected } = stack;
      for (const outputs of Object.values(stored)) organization.restore(personOf(outputs));
      await workspace.pulumi(["stack", "import", "--file", file]);

      const refreshed = await stack.run(REFRESH);
      expect(refreshed.requests).toEqual(withChallenge(expected.findOther));
      const ada = stack.person(ADA);
      expect(outputsIn(await workspace.state())).toEqual({
        ...stored,
        ada: { ...stored.ada, ...(reader === USERS && { userId: ada.userId }) },
      });

      // The program of write.ts, which wrote the state.
      const { teamIds, groupRoleAssignments } = stored.ada as Outputs;
      await stack.declare({
        ada: { teamIds, groupRoleAssignments },
        alan: { onAccepted: "retain" },
        grace: {},
        edsger: { roles: ["ORG_READ_ONLY"] },
      });
      expect((await stack.run("preview --expect-no-changes")).requests).toEqual([]);

      const others = stack.people(ALAN, GRACE, EDSGER);
      const destroyed = await stack.run(DESTROY);
      expect(unordered(destroyed.requests)).toEqual(unordered(expected.cancel(ada), expected.findOther));
      expect(destroyed.requests.length - unordered(destroyed.requests).length).toBe(1);
      expect(stack.people(ALAN, GRACE, EDSGER)).toEqual(others);
      expect(organization.users).toHaveLength(others.length);
      expect(await stack.resources()).toEqual({});
      expect(atlas.mails).toEqual([]);
    },
  );
});

/** The stored outputs of every invitation, by resource name. */
function outputsIn(state: ExportedState): Record<string, Outputs> {
  return Object.fromEntries(
    Object.entries(invitationsIn(state)).map(([name, { outputs }]) => [name, outputs as Outputs]),
  );
}

/** The person in Atlas whom the outputs describe. */
function personOf(outputs: Outputs): Person {
  const status = MEMBERSHIP[outputs.status] as MembershipStatus;
  const { username, roles, teamIds, groupRoleAssignments, createdAt, inviterUsername } = outputs as never;
  return {
    username,
    roles,
    teamIds,
    groupRoleAssignments,
    status,
    createdAt,
    // Each API version stores only one of the two ids of a pending person.
    userId: String(outputs.userId ?? "5f00000000000000000000a1"),
    ...(status === "PENDING" && { invitationId: String(outputs.invitationId ?? "5f00000000000000000000a2") }),
    ...(/PENDING|EXPIRED/.test(status) && { expiresAt: String(outputs.expiresAt) }),
    ...(status !== "ACTIVE" && { inviterUsername }),
  };
}
