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
async function startScene(
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
  const lines: [minutes: number, line: string][] = [];
  const notify = (line: string) => lines.push([(clock.now() - start) / MINUTE_MS, line]);
  const folder = await mkdtemp(join(tmpdir(), "throughput-"));
  /** A connection of its own, as each plugin process of the machine has one; invites a person. */
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
    lines,
    minutes: () => (clock.now() - start) / MINUTE_MS,
    /** How many invitations the throttle refused. */
    refused: () =>
      atlas.requests.filter(({ errorCode }) => errorCode === "INVITATIONS_RATE_LIMITED_IP").length,
    [Symbol.asyncDispose]: async () => {
      await atlas.stop();
      await rm(folder, { recursive: true });
    },
  };
}

const people = (count: number, name = "person") =>
  Array.from({ length: count }, (_, index) => `${name}-${index}@example.com`);

/** Lets every request take its time. Recorded: 326 to 358 ms for an invitation, besides the network. */
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

/** Does the work for all, so many at a time. */
async function inParallel(parallel: number, all: string[], work: (one: string) => Promise<unknown>) {
  const left = [...all];
  const worker = async () => {
    for (let next = left.shift(); next; next = left.shift()) await work(next);
  };
  await Promise.all(Array.from({ length: parallel }, worker));
}

const throttle = { limit: 10, perMinutes: 1 };
const cases: { generation: InvitationsApiVersion; parallel: number; refusedCount: boolean }[] = [
  { generation: "v2", parallel: 8, refusedCount: false },
  { generation: "v2", parallel: 8, refusedCount: true },
  { generation: "v2", parallel: 300, refusedCount: false },
  { generation: "v2", parallel: 300, refusedCount: true },
  { generation: "v1.0", parallel: 8, refusedCount: true },
  { generation: "users", parallel: 300, refusedCount: true },
];

test.each(cases)(
  "300 people, $parallel at a time, are invited at the pace of ten a minute ($generation, refused count: $refusedCount)",
  async ({ generation, parallel, refusedCount }) => {
    await using scene = await startScene(generation, { ...throttle, refusedCount });

    await scene.clock.run(inParallel(parallel, scene.people, scene.create));

    expect(scene.minutes()).toBeLessThan(30 * 1.05);
    expect(scene.atlas.mails.map(({ username }) => username).sort()).toEqual([...scene.people].sort());
    expect(scene.organization.invitations).toHaveLength(300);
    // Nobody is sent who will be refused, once the throttle is met.
    expect(scene.refused()).toBeLessThanOrEqual(parallel);
    const told = scene.lines.map(([at]) => at);
    expect(told.length).toBeGreaterThanOrEqual(28);
    expect(told.length).toBeLessThanOrEqual(31);
    for (const [index, at] of told.entries()) expect(at - (told[index - 1] ?? 0)).toBeLessThan(1.2);
    for (const [, line] of scene.lines) {
      expect(line).toMatch(
        /^person-\d+@example\.com( and \d+ more wait| waits) for Atlas, which takes 10 invitations in 60 s: about \d+ (s|min)\.$/,
      );
    }
  },
);

test.each([2, 8, 300])("%i at a time keep the pace where every request takes its time", async (parallel) => {
  await using scene = await startScene("v2", { ...throttle, refusedCount: true });
  delayRequests(scene);

  await scene.clock.run(inParallel(parallel, scene.people, scene.create));

  expect(scene.minutes()).toBeLessThan(30 * 1.05);
  expect(scene.minutes()).toBeGreaterThan(29);
  expect(scene.atlas.mails.map(({ username }) => username).sort()).toEqual([...scene.people].sort());
  expect(scene.refused()).toBeLessThanOrEqual(parallel);
});

test("of 700 people, those who cannot be invited within maxWait are told so within moments", async () => {
  await using scene = await startScene("v2", { ...throttle, refusedCount: true });
  const toldAt: number[] = [];
  const create = (username: string) => scene.create(username).catch(() => toldAt.push(scene.minutes()));

  await scene.clock.run(inParallel(700, people(700), create));

  // Ten before the throttle is met, and then one each 6.24 s from the first minute to the sixtieth.
  const invited = 10 + Math.floor((59 * 60) / 6.24) + 1;
  expect(scene.atlas.mails).toHaveLength(invited);
  expect(toldAt).toHaveLength(700 - invited);
  expect(Math.max(...toldAt)).toBeLessThan(0.1);
  expect(scene.minutes()).toBeLessThan(60);
});

test("who would wait longer than maxWait is told so, and the others are invited", async () => {
  await using scene = await startScene("v2", { ...throttle, refusedCount: true }, 10 * MINUTE_MS);
  const errors: string[] = [];
  const create = (username: string) =>
    scene.create(username).catch(({ message }: Error) => errors.push(message));

  await scene.clock.run(inParallel(300, scene.people, create));

  expect(scene.minutes()).toBeLessThan(10.1);
  // Ten before the throttle is met, and then one each 6.24 s from the first minute to the tenth.
  const invited = 10 + Math.floor((9 * 60) / 6.24) + 1;
  expect(scene.atlas.mails).toHaveLength(invited);
  expect(new Set(scene.atlas.mails.map(({ username }) => username)).size).toBe(invited);
  expect(errors).toHaveLength(300 - invited);
  expect(new Set(errors.map((message) => message.replace(/^person-\d+/, "somebody")))).toEqual(
    new Set([
      "somebody@example.com would have to wait for Atlas, which takes 10 invitations in 60 s, and longer than mongodbatlas:maxWait allows; nothing more was sent. Run the command again later, or raise mongodbatlas:maxWait.",
    ]),
  );
});

/** What each of the connections has to send, and how. */
interface Story {
  shares: number[];
  parallel: number;
  /** How much later each connection starts than the one before. */
  laterS?: number;
  /** How long each connection but the first pauses after an invitation. */
  pauseS?: number;
}

const stories: Story[] = [
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
  "connections of one machine, where refused attempts count: %s,",
  (refusedCount) => {
    test.each(stories)("share the throttle without a loss: %j", async (story) => {
      await using scene = await startScene("v2", { ...throttle, refusedCount });
      const { shares, parallel, laterS = 0, pauseS = 0 } = story;
      delayRequests(scene);
      const invitees = shares.map((count, index) => people(count, `connection-${index}`));
      const connection = async (usernames: string[], index: number) => {
        const create = scene.connected();
        await scene.clock.sleep(index * laterS * 1_000);
        await inParallel(parallel, usernames, async (username) => {
          await create(username);
          if (index > 0) await scene.clock.sleep(pauseS * 1_000);
        });
      };

      await scene.clock.run(Promise.all(invitees.map(connection)));

      expect(scene.atlas.mails.map(({ username }) => username).sort()).toEqual(invitees.flat().sort());
      expect(scene.minutes()).toBeLessThan(10 * 1.1);
    });
  },
);
