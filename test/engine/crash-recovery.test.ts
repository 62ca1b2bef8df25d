import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { PHRASES } from "../support/message-phrases.ts";
import type { Stage } from "../support/simulated-atlas/request-listeners.ts";
import type { LoggedRequest } from "../support/simulated-atlas/request-log.ts";
import { type ApiVersion, USERS, V1, V2, withChallenge } from "./expected-requests.ts";
import {
  ADA,
  afterCreating,
  type Declaration,
  GRACE,
  type InvitationStack,
  REFRESH,
  UP,
} from "./invitation-stack.ts";
import { startStack } from "./start-stack.ts";

const TEAM = "5f0000000000000000000001";

// The host tier kills the plugin at every request. Here the engine dies, and its plugin finishes alone, with the request
// with the method `last`: on v2, the simulated Atlas drops the teams of a new invitation, so a PATCH completes it.
const KILLS: { version: ApiVersion; last: string; moments: string[] }[] = [
  {
    version: V2,
    last: "PATCH",
    moments: [
      "GET handled",
      "POST arrived",
      "POST handled",
      "POST answered",
      "PATCH handled",
      "PATCH answered",
    ],
  },
  { version: USERS, last: "POST", moments: ["POST handled"] },
];

describe.concurrent("a killed engine", () => {
  it.each(KILLS)("leaves one invitation a person: $version.name", async ({ version, last, moments }) => {
    await using stack = await startStack(version);
    const { atlas, organization } = stack;
    atlas.settings.ignoresOnCreate = ["teamIds"];
    const declarations: Record<string, Declaration> = {};
    for (const moment of moments) {
      const name = moment.toLowerCase().replace(" ", "-");
      declarations[name] = { teamIds: [TEAM] };
      await stack.declare(declarations);
      await killDuringUp(stack, moment, last);
      await stack.workspace.pulumi(["cancel", "--yes"]);
      const { diagnostics } = await stack.run(UP);

      const { invitationId, userId, ...person } = stack.person(`${name}@example.com`);
      const { id, outputs } = (await stack.resources())[name] ?? {};
      const errors = Object.values(diagnostics).filter((text) => /^error/m.test(text));
      expect({ name, person, id, outputs, errors }).toEqual({
        name,
        person: expect.objectContaining({ status: "PENDING", roles: ["ORG_MEMBER"], teamIds: [TEAM] }),
        id: version === USERS ? userId : invitationId,
        outputs: expect.objectContaining({ status: "PENDING", teamIds: [TEAM] }),
        errors: [],
      });
    }
    const usernames = Object.keys(declarations).map((name) => `${name}@example.com`);
    expect(organization.users.map(({ username }) => username)).toEqual(usernames);
    expect(atlas.mails.map(({ username }) => username)).toEqual(usernames);
    // The engine remembers interrupted operations until a command makes it forget them.
    await stack.run(`${REFRESH} --clear-pending-creates`);
    expect((await stack.workspace.state()).deployment.pending_operations ?? []).toEqual([]);
    await stack.run("preview --expect-no-changes");
  });
});

describe.concurrent("an interrupt", () => {
  it("lets the request under way finish and stores its result, and the next up continues", async () => {
    await using stack = await startStack(V1);
    const { atlas, expected } = stack;
    await stack.declare({ ada: {}, grace: { username: afterCreating("ada", GRACE) } });
    await interruptUp(stack, ({ method }, stage) => method === "POST" && stage === "handled");
    const ada = stack.person(ADA);
    const resources = await stack.resources();
    expect(resources.ada).toMatchObject({ id: ada.invitationId, outputs: { status: "PENDING" } });
    expect(resources.grace).toBeUndefined();

    const { requests } = await stack.run(UP);
    expect(requests).toEqual(withChallenge(expected.findOther, expected.invite));
    expect(stack.organization.users).toEqual([ada, stack.person(GRACE)]);
    expect(atlas.mails.map(({ username }) => username)).toEqual([ADA, GRACE]);
  });

  it("sends no invitation that waits for the throttle", async () => {
    await using stack = await startStack();
    const { atlas } = stack;
    atlas.settings.invitationThrottle = { limit: 1 };
    await stack.declare({ ada: {}, grace: {}, alan: {} });
    const isThrottled = ({ errorCode }: LoggedRequest) => errorCode === "INVITATIONS_RATE_LIMITED_IP";
    const output = await interruptUp(stack, (request, stage) => isThrottled(request) && stage === "answered");
    expect(output).toContain(PHRASES.interrupted);
    expect(atlas.mails).toHaveLength(1);
  });
});

/** Interrupts the CLI at the first such moment, which lasts until the engine has noticed, and returns its output. */
async function interruptUp(
  { atlas, workspace }: InvitationStack,
  isMoment: (request: LoggedRequest, stage: Stage) => boolean,
): Promise<string> {
  let cli: ChildProcess | undefined;
  let isNoticed = false;
  const unwatch = atlas.onRequest(async (request, stage) => {
    if (!isMoment(request, stage)) return;
    unwatch();
    cli?.kill("SIGINT");
    await vi.waitUntil(() => isNoticed, 30_000);
  });
  const { exitCode, output } = await workspace.pulumi(UP.split(" "), {
    allowFailure: true,
    timeoutMs: 50_000,
    onStart: (child) => {
      cli = child;
    },
    onOutput: (text) => {
      isNoticed ||= /cancell?ing/i.test(text);
    },
  });
  expect(exitCode).not.toBe(0);
  return output;
}

/** Kills the CLI at that moment. Its plugin lives on, and finishes with the request with the method `last`. */
async function killDuringUp(
  { atlas, workspace }: InvitationStack,
  moment: string,
  last: string,
): Promise<void> {
  atlas.forget();
  let cli: ChildProcess | undefined;
  let isKilled = false;
  let isFinished = false;
  const unwatch = atlas.onRequest(async (request, at) => {
    if (`${request.method} ${at}` === moment && !request.challenge && cli && !isKilled) {
      const ended = once(cli, "exit");
      isKilled = cli.kill("SIGKILL");
      await ended;
    }
    isFinished ||= request.method === last && at === "answered";
  });
  const { exitCode } = await workspace.pulumi(UP.split(" "), {
    allowFailure: true,
    onStart: (child) => {
      cli = child;
    },
  });
  if (!isKilled) throw new Error(`pulumi up ended with ${exitCode} before ${moment}`);
  await vi.waitUntil(() => isFinished, 30_000);
  unwatch();
  await removeEmptyFiles(join(workspace.home, "state"));
}

/** A kill during a write of the state can leave an empty file, with which Pulumi fails: `checkpoint: EOF`. */
async function removeEmptyFiles(folder: string): Promise<void> {
  for (const name of await readdir(folder, { recursive: true })) {
    const file = join(folder, name);
    if (name.endsWith(".attrs") && (await stat(file)).size === 0) await rm(file);
  }
}
