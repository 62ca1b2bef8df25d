import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { Stage } from "../support/simulated-atlas/request-listeners.ts";
import { type Generation, withChallenge } from "./expected-requests.ts";
import { ADA, GRACE } from "./fixtures.ts";
import {
  afterCreating,
  type Declaration,
  type InvitationStack,
  REFRESH,
  type StartStack,
  UP,
} from "./invitation-stack.ts";

const STAGES: Stage[] = ["arrived", "handled", "answered"];
const TEAM = "5f0000000000000000000001";

/** What is left when the engine dies, or is told to stop, in the middle of an invitation. */
export function killStories(start: StartStack, { name }: Generation): void {
  it("ends with one invitation a person, whenever the engine is killed", { timeout: 1_800_000 }, async () => {
    await using stack = await start();
    const { atlas, organization } = stack;
    // Where Atlas drops the teams, a second request completes the first.
    atlas.settings.ignoresOnCreate = ["teamIds"];
    const people: Record<string, Declaration> = { unharmed: { teamIds: [TEAM] } };
    await stack.declare(people);
    const requests = (await stack.run(UP)).requests.map((request) => request.replace(/[0-9a-f]{24}/g, "id"));
    expect(requests).toEqual(REQUESTS[name]);

    // One generation shows what a look-up means when it is cut short; in the others, the invitation is enough.
    const from = name === "v2" ? 0 : requests.findIndex((request) => request.startsWith("POST"));
    for (const [index, request] of [...requests.entries()].slice(from)) {
      for (const stage of STAGES) {
        const moment = `killed when ${request} was ${stage}`;
        const person = `${index}-${stage}`;
        people[person] = { teamIds: [TEAM] };
        await stack.declare(people);
        await killDuringUp(stack, { index, stage, last: requests.length - 1 });
        await stack.workspace.pulumi(["cancel", "--yes"]);
        const { diagnostics } = await stack.run(UP);
        const lines = Object.values(diagnostics).flat();
        expect({ moment, errors: lines.filter((line) => line.startsWith("error")) }).toEqual({
          moment,
          errors: [],
        });

        const { invitationId, userId, ...stored } = stack.person(`${person}@example.com`);
        expect({ moment, stored }).toEqual({
          moment,
          stored: expect.objectContaining({ status: "PENDING", roles: ["ORG_MEMBER"], teamIds: [TEAM] }),
        });
        const resource = await stack.workspace.resource(person);
        expect({ moment, id: resource?.id }).toEqual({
          moment,
          id: name === "users" ? userId : invitationId,
        });
        expect({ moment, outputs: resource?.outputs }).toEqual({
          moment,
          outputs: expect.objectContaining({ status: "PENDING", teamIds: [TEAM] }),
        });
      }
    }
    const usernames = Object.keys(people).map((person) => `${person}@example.com`);
    expect(organization.users.map(({ username }) => username)).toEqual(usernames);
    expect(atlas.mails.map(({ username }) => username)).toEqual(usernames);
    // Pulumi remembers what was interrupted until it is told that it was looked at.
    await stack.run(`${REFRESH} --clear-pending-creates`);
    expect((await stack.workspace.state()).deployment.pending_operations ?? []).toEqual([]);
    await stack.run("preview --expect-no-changes");
  });
}

/** What happens when the user interrupts the engine. */
export function interruptStories(start: StartStack): void {
  it("finishes and stores what was under way when it is interrupted, and goes on with the next up", async () => {
    await using stack = await start();
    const { atlas, workspace, expected } = stack;
    await stack.declare({ ada: {}, grace: { username: afterCreating("ada", GRACE) } });
    let child: ChildProcess | undefined;
    let hear = (_text: string) => {};
    const heard = new Promise<void>((resolve) => {
      hear = (text) => /cancell?ing/i.test(text) && resolve();
    });
    const unwatch = atlas.onRequest(async ({ method }, stage) => {
      if (method !== "POST" || stage !== "handled") return;
      child?.kill("SIGINT");
      await heard;
    });
    const interrupted = await workspace.pulumi(UP.split(" "), {
      allowFailure: true,
      onStart: (started) => {
        child = started;
      },
      onOutput: (text) => hear(text),
    });
    unwatch();
    expect(interrupted.exitCode).not.toBe(0);
    const ada = stack.person(ADA);
    expect(await workspace.resource("ada")).toMatchObject({
      id: ada.invitationId,
      outputs: { status: "PENDING" },
    });
    expect(await workspace.resource("grace")).toBeUndefined();

    const { requests } = await stack.run(UP);
    expect(requests).toEqual(withChallenge(expected.findOther, expected.invite));
    expect(stack.organization.users).toEqual([ada, stack.person(GRACE)]);
    expect(atlas.mails.map(({ username }) => username)).toEqual([ADA, GRACE]);
    expect((await workspace.resource("grace"))?.id).toBe(stack.person(GRACE).invitationId);
  });
}

const LIST =
  "?itemsPerPage=500&pageNum=1&orgMembershipStatuses=PENDING&orgMembershipStatuses=ACTIVE&orgMembershipStatuses=INVITATION_EXPIRED&orgMembershipStatuses=INVITATION_REJECTED";

const invites = (root: string) => [
  `GET ${root}/id/invites 401 challenge`,
  `GET ${root}/id/invites 200`,
  `GET /api/atlas/v2/orgs/id/users${LIST} 200`,
  `POST ${root}/id/invites 200`,
  `PATCH ${root}/id/invites/id 200`,
];

/** What a create asks of Atlas when nothing happens to it. */
const REQUESTS: Record<string, string[]> = {
  "v1.0": invites("/api/atlas/v1.0/orgs"),
  v2: invites("/api/atlas/v2/orgs"),
  users: [
    `GET /api/atlas/v2/orgs/id/users${LIST} 401 challenge`,
    `GET /api/atlas/v2/orgs/id/users${LIST} 200`,
    "POST /api/atlas/v2/orgs/id/users 201",
  ],
};

/**
 * Kills the CLI at that stage of the request that arrives as number `index`. Its plugin lives on, and finishes
 * with the request that arrives as number `last`.
 */
async function killDuringUp(
  { atlas, workspace }: InvitationStack,
  { index, stage, last }: { index: number; stage: Stage; last: number },
): Promise<void> {
  atlas.forget();
  let cli: ChildProcess | undefined;
  let isKilled = false;
  let finish = () => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const unwatch = atlas.onRequest(async (request, at) => {
    const number = atlas.requests.indexOf(request);
    if (number === index && at === stage && cli) {
      const ended = once(cli, "exit");
      isKilled = cli.kill("SIGKILL");
      await ended;
    }
    if (number === last && at === "answered") finish();
  });
  const { exitCode } = await workspace.pulumi(UP.split(" "), {
    allowFailure: true,
    onStart: (child) => {
      cli = child;
    },
  });
  if (!isKilled) throw new Error(`pulumi up ended with ${exitCode} before number ${index} was ${stage}`);
  await finished;
  unwatch();
  await mendState(join(workspace.home, "state"));
}

/** A kill in the middle of a write of the state can leave an empty file, on which Pulumi fails: `checkpoint: EOF`. */
async function mendState(folder: string): Promise<void> {
  for (const name of await readdir(folder, { recursive: true })) {
    const file = join(folder, name);
    if (name.endsWith(".attrs") && (await stat(file)).size === 0) await rm(file);
  }
}
