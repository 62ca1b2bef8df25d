import { type Clock, systemClock } from "../provider/clock.ts";
import type { InvitationsGeneration } from "../provider/config.ts";
import { connect } from "../provider/connect.ts";
import type { OrgInvitationInputs } from "../provider/lifecycle.ts";
import { SimulatedAtlas, type SimulatedAtlasOptions } from "./atlas/simulated-atlas.ts";

export const GENERATIONS: InvitationsGeneration[] = ["v1.0", "v2", "users"];
export const ada = "ada@example.com";
export const team = "5f0000000000000000000001";
export const project = "5f0000000000000000000002";

// Waits are over at once.
const impatient = { ...systemClock, sleep: () => Promise.resolve() };

/** A simulated Atlas with one organization, and the lifecycle connected to it. */
export async function lifecycleScene(
  invitationsApi: InvitationsGeneration,
  options: SimulatedAtlasOptions = {},
  clock: Clock = impatient,
) {
  const atlas = await SimulatedAtlas.start(options);
  const organization = atlas.addOrganization();
  const { publicKey, privateKey } = atlas.addApiKey({ organization });
  const notices: string[] = [];
  const notify = (line: string) => notices.push(line);
  const credentials = { kind: "apiKey" as const, publicKey, privateKey, source: "the test" };
  const settings = { baseUrl: atlas.url, credentials, maxWaitMs: 3_600_000, debug: false };
  const connected = (generation = invitationsApi) =>
    connect({ ...settings, invitationsApi: generation }, { notify, clock }).lifecycle;
  const inputs = (changes: Partial<OrgInvitationInputs> = {}): OrgInvitationInputs => ({
    orgId: organization.id,
    username: ada,
    roles: ["ORG_MEMBER"],
    teamIds: [],
    groupRoleAssignments: [],
    onAccepted: "fail",
    reinviteExpired: false,
    ...changes,
  });
  return {
    atlas,
    organization,
    inputs,
    notices,
    connected,
    lifecycle: connected(),
    /** The requests since the last time, without the challenges. */
    requests: () => {
      const requests = atlas.requests.filter(({ challenge }) => !challenge).map(symbol);
      atlas.forget();
      return requests;
    },
    [Symbol.asyncDispose]: () => atlas.stop(),
  };
}

function symbol({ method, path }: { method: string; path: string }): string {
  const [, resource, id] = /\/(invites|users)(\/[0-9a-f]{24})?(?:\?|$)/.exec(path) ?? [];
  return `${method} ${resource}${id ? "/id" : ""}`;
}
