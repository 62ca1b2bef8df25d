import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Peers } from "../../../provider/atlas/limits/peers.ts";
import { connect } from "../../../provider/lifecycle/connect.ts";
import type { InvitationsApiVersion } from "../../../provider/settings/settings.ts";
import type { InvitationThrottle } from "../../support/simulated-atlas/invitation-throttle.ts";
import { SimulatedAtlas } from "../../support/simulated-atlas/simulated-atlas.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";

const MINUTE_MS = 60_000;

/** Hundreds of invitations under the throttle, on one simulated clock. */
async function setUp(
  invitationsApi: InvitationsApiVersion,
  invitationThrottle: InvitationThrottle,
  maxWaitMs = 60 * MINUTE_MS,
) {
  const clock = new SimulatedClock();
  const start = clock.now();
  const atlas = await SimulatedAtlas.start({ now: clock.now, invitationThrottle });
  const organization = atlas.addOrganization();
  const credentials = { kind: "apiKey" as const, ...atlas.addApiKey({ organization }), source: "the test" };
  const settings = { baseUrl: atlas.url, credentials, invitationsApi, maxWaitMs, debug: false };
  const noticesAt: number[] = [];
  const minutes = () => (clock.now() - start) / MINUTE_MS;
  const notify = () => void noticesAt.push(minutes());
  const folder = await mkdtemp(join(tmpdir(), "throughput-"));
  /** A new connection, as each plugin process of a machine has one. Returns how it invites a person. */
  const connected = () => {
    const { lifecycle } = connect(settings, { notify, clock, peers: new Peers(folder) });
    return (username: string) =>
      lifecycle.create({
        orgId: organization.id,
        username,
        roles: ["ORG_MEMBER"],
        teamIds: [],
        groupRoleAssignments: [],
        onAccepted: "fail",
        reinviteExpired: false,
      });
  };
  return {
    clock,
    atlas,
    organization,
    people: people(300),
    connected,
    create: connected(),
    /** When each notice was shown, in minutes. */
    noticesAt,
    minutes,
    invited: () => atlas.mails.map(({ username }) => username).sort(),
    /** How many invitations the throttle rejected. */
    rejected: () =>
      atlas.requests.filter(({ errorCode }) => errorCode === "INVITATIONS_RATE_LIMITED_IP").length,
    [Symbol.asyncDispose]: async () => {
      await atlas.stop();
      await rm(folder, { recursive: true });
    },
  };
}

const people = (count: number, name = "person") =>
  Array.from({ length: count }, (_, index) => `${name}-${index}@example.com`);

/** Delays every request. Recorded: 326 to 358 ms for an invitation, besides the network. */
function delayRequests({ atlas, clock }: { atlas: SimulatedAtlas; clock: SimulatedClock }): void {
  // From a fixed sequence.
  let seed = 1;
  const random = () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  atlas.onRequest(async (_, stage) => {
    if (stage !== "answered") await clock.travel(100 + 400 * random());
  });
}

/** Does the work for all, with this many at a time. */
async function inParallel(parallel: number, all: string[], work: (one: string) => Promise<unknown>) {
  const left = [...all];
  const worker = async () => {
    for (let next = left.shift(); next; next = left.shift()) await work(next);
  };
  await Promise.all(Array.from({ length: parallel }, worker));
}

const throttle = { limit: 10, perMinutes: 1 };
const cases: { version: InvitationsApiVersion; parallel: number; refusedCount: boolean }[] = [
  { version: "v2", parallel: 8, refusedCount: false },
  { version: "v2", parallel: 8, refusedCount: true },
  { version: "v2", parallel: 300, refusedCount: false },
  { version: "v2", parallel: 300, refusedCount: true },
  { version: "v1.0", parallel: 8, refusedCount: true },
  { version: "users", parallel: 300, refusedCount: true },
];

test.each(cases)(
  "300 people, $parallel at a time, are invited in 30 minutes ($version API, rejected attempts count: $refusedCount)",
  async ({ version, parallel, refusedCount }) => {
    await using fixture = await setUp(version, { ...throttle, refusedCount });

    await fixture.clock.run(inParallel(parallel, fixture.people, fixture.create));

    expect(fixture.minutes()).toBeLessThan(30 * 1.05);
    expect(fixture.invited()).toEqual([...fixture.people].sort());
    expect(fixture.organization.invitations).toHaveLength(300);
    // After the first rejection no invitation is sent that the throttle would reject.
    expect(fixture.rejected()).toBeLessThanOrEqual(parallel);
    // A notice once a minute.
    const { noticesAt } = fixture;
    expect(noticesAt.length).toBeGreaterThanOrEqual(28);
    expect(noticesAt.length).toBeLessThanOrEqual(31);
    for (const [index, at] of noticesAt.entries()) expect(at - (noticesAt[index - 1] ?? 0)).toBeLessThan(1.2);
  },
);

test.each([2, 8, 300])(
  "300 people, %i at a time, are invited in 30 minutes where requests are slow",
  async (parallel) => {
    await using fixture = await setUp("v2", { ...throttle, refusedCount: true });
    delayRequests(fixture);

    await fixture.clock.run(inParallel(parallel, fixture.people, fixture.create));

    expect(fixture.minutes()).toBeLessThan(30 * 1.05);
    expect(fixture.minutes()).toBeGreaterThan(29);
    expect(fixture.invited()).toEqual([...fixture.people].sort());
    expect(fixture.rejected()).toBeLessThanOrEqual(parallel);
  },
);

test.each([
  [700, 60],
  [300, 10],
])(
  "of %i people, those who would wait longer than %i min are rejected within seconds",
  async (count, minutes) => {
    await using fixture = await setUp("v2", { ...throttle, refusedCount: true }, minutes * MINUTE_MS);
    const rejectedAt: number[] = [];
    const create = async (username: string) => {
      const error = await fixture.create(username).catch((error) => error);
      if (error instanceof Error) {
        expect(error).toMatchObject({ kind: "waitTooLong" });
        rejectedAt.push(fixture.minutes());
      }
    };

    await fixture.clock.run(inParallel(count, people(count), create));

    // Ten before the first rejection, and then one each 6.24 s from the first minute on.
    const invited = 10 + Math.floor(((minutes - 1) * 60) / 6.24) + 1;
    expect(new Set(fixture.invited()).size).toBe(invited);
    expect(fixture.atlas.mails).toHaveLength(invited);
    expect(rejectedAt).toHaveLength(count - invited);
    expect(Math.max(...rejectedAt)).toBeLessThan(0.1);
    expect(fixture.minutes()).toBeLessThan(minutes);
  },
);

/** How many people each of the connections invites, and how. */
interface Load {
  shares: number[];
  parallel: number;
  /** How much later each connection starts than the one before. */
  laterS?: number;
  /** How long each connection but the first pauses after an invitation. */
  pauseS?: number;
}

const loads: Load[] = [
  { shares: [50, 50], parallel: 8 },
  { shares: [80, 20], parallel: 8 },
  { shares: [95, 5], parallel: 8 },
  { shares: [20, 80], parallel: 1 },
  { shares: [50, 50], parallel: 50 },
  { shares: [40, 30, 30], parallel: 8 },
  { shares: [50, 50], parallel: 8, laterS: 3 },
  { shares: [60, 40], parallel: 40, laterS: 90 },
  { shares: [90, 10], parallel: 8, laterS: 90, pauseS: 90 },
];

describe.each([true, false])(
  "connections of one machine, where rejected attempts count: %s,",
  (refusedCount) => {
    test.each(loads)("share the throttle at its full rate: %j", async (load) => {
      await using fixture = await setUp("v2", { ...throttle, refusedCount });
      const { shares, parallel, laterS = 0, pauseS = 0 } = load;
      delayRequests(fixture);
      const invitees = shares.map((count, index) => people(count, `connection-${index}`));
      const connection = async (usernames: string[], index: number) => {
        const create = fixture.connected();
        await fixture.clock.sleep(index * laterS * 1_000);
        await inParallel(parallel, usernames, async (username) => {
          await create(username);
          if (index > 0) await fixture.clock.sleep(pauseS * 1_000);
        });
      };

      await fixture.clock.run(Promise.all(invitees.map(connection)));

      expect(fixture.invited()).toEqual(invitees.flat().sort());
      expect(fixture.minutes()).toBeLessThan(10 * 1.1);
    });
  },
);
