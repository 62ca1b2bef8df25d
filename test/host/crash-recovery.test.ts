import { describe, expect, it } from "vitest";
import type { PluginHost } from "../support/plugin-host/plugin-host.ts";
import type { Person } from "../support/simulated-atlas/organization.ts";
import type { Stage } from "../support/simulated-atlas/request-listeners.ts";
import { ADA, type HostFixture, inEnvironment, startHost, TEAM } from "./host-fixture.ts";

type OperationName = "create" | "update" | "delete";

/** One operation on one person. The engine repeats the call until it gets an answer. */
interface Operation {
  call(host: PluginHost): Promise<unknown>;
  /** The answer to the last call, and what Atlas stores then. */
  expected(): { answer: unknown; users: Person[] };
}

const OPERATIONS: Record<OperationName, (fixture: HostFixture) => Operation> = {
  create: (fixture) => {
    // The simulated Atlas drops the teams, so that a second request completes the invitation.
    fixture.atlas.settings.ignoresOnCreate = ["teamIds"];
    const inputs = fixture.inputs({ teamIds: [TEAM] });
    return {
      call: (host) => host.create(inputs),
      expected: () => {
        const [person] = fixture.organization.users as [Person];
        const { invitationId, userId } = person;
        const id = expect.stringMatching(new RegExp(`^(${invitationId}|${userId})$`));
        const properties = expect.objectContaining({ ...inputs, status: "PENDING" });
        const invited = { ...person, username: ADA, status: "PENDING" as const, teamIds: [TEAM] };
        return { answer: { id, properties }, users: [invited] };
      },
    };
  },
  update: (fixture) => {
    const invited = fixture.organization.invite(ADA);
    const olds = fixture.state(invited);
    const news = fixture.inputs({ roles: ["ORG_OWNER"] });
    return {
      call: (host) => host.update(String(invited.invitationId), olds, news),
      expected: () => ({
        answer: expect.objectContaining({ ...news, status: "PENDING" }),
        users: [{ ...invited, roles: ["ORG_OWNER"] }],
      }),
    };
  },
  delete: (fixture) => {
    const invited = fixture.organization.invite(ADA);
    const olds = fixture.state(invited);
    return {
      call: (host) => host.delete(String(invited.invitationId), olds),
      expected: () => ({ answer: undefined, users: [] }),
    };
  },
};

// A request that changes nothing in Atlas leaves the same behind at every stage.
const stagesOf = (request: string): Stage[] =>
  /^GET|challenge$/.test(request) ? ["handled"] : ["arrived", "handled", "answered"];

describe.concurrent.each(["v2", "users"])("a killed process on the %s API", (version) => {
  const start = () =>
    startHost({
      settings: (atlas, key) => ({
        env: { ...inEnvironment(atlas, key).env, MONGODB_ATLAS_INVITATIONS_API: version },
      }),
    });

  it.each(Object.keys(OPERATIONS) as OperationName[])(
    "completes its %s in the next run",
    { timeout: 300_000 },
    async (name) => {
      const requests = await requestsOf(await start(), name);
      for (const [index, request] of requests.entries()) {
        for (const stage of stagesOf(request)) {
          await using fixture = await start();
          const operation = OPERATIONS[name](fixture);
          await killDuring(fixture, operation, index, stage);
          const host = await fixture.restart();
          const answer = await operation.call(host).catch((error: Error) => `failed: ${error.message}`);
          await host.stop();
          const mails = fixture.atlas.mails.map(({ username }) => username);
          const killed = `at ${request}, ${stage}`;
          expect({ killed, answer, users: fixture.organization.users, mails, stderr: host.stderr }).toEqual({
            killed,
            ...operation.expected(),
            mails: [ADA],
            stderr: "",
          });
        }
      }
    },
  );
});

async function requestsOf(started: HostFixture, name: OperationName): Promise<string[]> {
  await using fixture = started;
  await OPERATIONS[name](fixture).call(fixture.host);
  return fixture.atlas.log();
}

/** Calls the operation, and kills the process at that stage of the request that arrives as number `index`. */
async function killDuring(
  { atlas, host }: HostFixture,
  { call }: Operation,
  index: number,
  stage: Stage,
): Promise<void> {
  let isKilled = false;
  const unwatch = atlas.onRequest(async (request, at) => {
    // What the process still sends while it is killed is lost.
    if (isKilled) return "cut";
    if (at !== stage || atlas.requests.indexOf(request) !== index) return undefined;
    isKilled = true;
    await host.kill();
    return "cut";
  });
  // After the last request, the answer may arrive before the process is gone; the engine loses it, too.
  await call(host).catch(() => undefined);
  unwatch();
  if (!isKilled) throw new Error(`No request number ${index} was ${stage}: ${atlas.log().join(", ")}`);
}
