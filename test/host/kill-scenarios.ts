import { describe, expect, it } from "vitest";
import type { PluginHost } from "../support/plugin-host/plugin-host.ts";
import type { Person } from "../support/simulated-atlas/organization.ts";
import type { Stage } from "../support/simulated-atlas/request-listeners.ts";
import type { LoggedRequest } from "../support/simulated-atlas/request-log.ts";
import { HostScene, inEnvironment } from "./host-fixture.ts";

const ADA = "ada@example.com";
const TEAM = "5f0000000000000000000001";
const STAGES: Stage[] = ["arrived", "handled", "answered"];

type OperationName = "create" | "update" | "delete";

/** One operation on one person, as the engine calls it: again and again, until it is told the end of it. */
interface Operation {
  call(host: PluginHost): Promise<unknown>;
  /** What the last call is to be answered with, and what Atlas is to store then. */
  end(): { answer: unknown; users: Person[] };
}

const OPERATIONS: Record<OperationName, (scene: HostScene) => Operation> = {
  create: (scene) => {
    // Where Atlas drops the teams, a second request completes the first, and a kill can come between them.
    scene.atlas.settings.ignoresOnCreate = ["teamIds"];
    const news = scene.news({ teamIds: [TEAM] });
    return {
      // The engine remembers nothing of a create that was not answered.
      call: (host) => host.create(news),
      end: () => {
        const invited = known(scene);
        const person = { ...invited, username: ADA, status: "PENDING" as const, teamIds: [TEAM] };
        const properties = expect.objectContaining({ ...news, status: "PENDING" });
        return { answer: { id: expect.stringMatching(idOf(invited)), properties }, users: [person] };
      },
    };
  },
  update: (scene) => {
    const invited = scene.organization.invite(ADA);
    const olds = stateOf(scene, invited);
    const news = scene.news({ roles: ["ORG_OWNER"] });
    return {
      call: (host) => host.update(String(invited.invitationId), olds, news),
      end: () => ({
        answer: expect.objectContaining({ ...news, status: "PENDING" }),
        users: [{ ...invited, roles: ["ORG_OWNER"] }],
      }),
    };
  },
  delete: (scene) => {
    const invited = scene.organization.invite(ADA);
    const olds = stateOf(scene, invited);
    return {
      call: (host) => host.delete(String(invited.invitationId), olds),
      end: () => ({ answer: undefined, users: [] }),
    };
  },
};

const INVITES: Record<OperationName, string[]> = {
  create: ["GET invites challenge", "GET invites", "GET users", "POST invites", "PATCH invites/id"],
  update: ["PATCH invites/id challenge", "PATCH invites/id"],
  delete: ["DELETE invites/id challenge", "DELETE invites/id"],
};

/** What each operation asks of Atlas when nothing happens to it; the process is killed at every one of these. */
const REQUESTS: Record<string, Record<OperationName, string[]>> = {
  "v1.0": INVITES,
  v2: INVITES,
  users: {
    create: ["GET users challenge", "GET users", "POST users"],
    update: ["GET users/id challenge", "GET users/id", "PATCH users/id"],
    delete: ["GET users/id challenge", "GET users/id", "DELETE users/id"],
  },
};

/** Kills the process at every stage of every request of every operation, and goes on with a new one. */
export function killStories(folder: () => string): void {
  describe.concurrent.each(Object.entries(REQUESTS))("a process on the %s API", (generation, requests) => {
    const start = () =>
      HostScene.start(folder(), {
        told: (atlas, key) => ({
          env: { ...inEnvironment(atlas, key).env, MONGODB_ATLAS_INVITATIONS_API: generation },
        }),
      });

    it.each(Object.keys(requests) as OperationName[])(
      "may be killed at any moment of its %s",
      { timeout: 900_000 },
      async (name) => {
        const unharmed = await requestsOf(await start(), name);
        expect(unharmed).toEqual(requests[name]);
        for (const [index, request] of unharmed.entries()) {
          for (const stage of STAGES) {
            await using scene = await start();
            const operation = OPERATIONS[name](scene);
            await killDuring(scene, operation, index, stage);
            const moment = `killed when ${request} was ${stage}`;
            await using host = await another(scene);
            const answer = await operation.call(host).catch((error: Error) => `failed: ${error.message}`);
            await host.stop();
            const { users } = scene.organization;
            const mails = scene.atlas.mails.map(({ username }) => username);
            expect({ moment, answer, users, mails, stderr: host.stderr }).toEqual({
              moment,
              ...operation.end(),
              mails: [ADA],
              stderr: "",
            });
          }
        }
      },
    );
  });
}

async function requestsOf(started: HostScene, name: OperationName): Promise<string[]> {
  await using scene = started;
  await OPERATIONS[name](scene).call(scene.host);
  return scene.atlas.requests.map(symbol);
}

/** Calls the operation, and kills the process at that stage of the request that arrives as number `index`. */
async function killDuring(scene: HostScene, { call }: Operation, index: number, stage: Stage): Promise<void> {
  const { atlas, host } = scene;
  let isKilled = false;
  const unwatch = atlas.onRequest(async (request, at) => {
    // What it sends in the moment of its end is lost.
    if (isKilled) return "cut";
    if (at !== stage || atlas.requests.indexOf(request) !== index) return undefined;
    isKilled = true;
    await host.kill();
    return "cut";
  });
  // After the last answer, the engine may be told the end of it in the same moment; it forgets.
  await call(host).catch(() => undefined);
  unwatch();
  if (!isKilled) throw new Error(`No request number ${index} was ${stage}: ${atlas.log().join(", ")}`);
}

async function another(scene: HostScene) {
  const host = await scene.anotherHost();
  return Object.assign(host, { [Symbol.asyncDispose]: () => host.stop() });
}

function known({ organization }: HostScene): Person {
  const person = organization.find(ADA);
  if (!person) throw new Error(`Atlas does not know ${ADA}`);
  return person;
}

function idOf({ invitationId, userId }: Person): RegExp {
  return new RegExp(`^(${invitationId}|${userId})$`);
}

function stateOf(scene: HostScene, { userId }: Person) {
  return { ...scene.state(ADA), userId };
}

function symbol({ method, path, challenge }: LoggedRequest): string {
  const [, resource, id] = /\/(invites|users)(\/[0-9a-f]{24})?(?:\?|$)/.exec(path) ?? [];
  return `${method} ${resource}${id ? "/id" : ""}${challenge ? " challenge" : ""}`;
}
