import { type Clock, systemClock } from "../../../provider/atlas/clock.ts";
import type { Notice } from "../../../provider/atlas/notice.ts";
import { type ConnectOptions, connect } from "../../../provider/lifecycle/connect.ts";
import type { OrgInvitationInputs } from "../../../provider/lifecycle/org-invitation-state.ts";
import type { InvitationsApiVersion } from "../../../provider/settings/settings.ts";
import { SimulatedAtlas, type SimulatedAtlasOptions } from "../../support/simulated-atlas/simulated-atlas.ts";

export const GENERATIONS: InvitationsApiVersion[] = ["v1.0", "v2", "users"];
export const ada = "ada@example.com";
export const team = "5f0000000000000000000001";
export const project = "5f0000000000000000000002";

// Waits are over at once.
const impatient = { ...systemClock, sleep: () => Promise.resolve() };

/** A simulated Atlas with one organization, and the lifecycle connected to it. */
export async function lifecycleFixture(
  invitationsApi: InvitationsApiVersion,
  options: SimulatedAtlasOptions = {},
  clock: Clock = impatient,
) {
  const atlas = await SimulatedAtlas.start(options);
  const organization = atlas.addOrganization();
  const { publicKey, privateKey } = atlas.addApiKey({ organization });
  const notices: string[] = [];
  const notify = ({ text }: Notice) => void notices.push(text);
  const credentials = { kind: "apiKey" as const, publicKey, privateKey, source: "the test" };
  const settings = { baseUrl: atlas.url, credentials, maxWaitMs: 3_600_000, debug: false };
  /** As in another run: nobody is declared in it yet, and no list is known. */
  const connected = (
    generation = invitationsApi,
    { maxWaitMs = settings.maxWaitMs, ...options }: Partial<ConnectOptions> & { maxWaitMs?: number } = {},
  ) =>
    connect({ ...settings, maxWaitMs, invitationsApi: generation }, { notify, clock, ...options }).lifecycle;
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
    /** What was sent to change something, since the last time: the method and the body. */
    changes: () => {
      const changes = atlas.requests.filter(({ challenge, method }) => !challenge && method !== "GET");
      atlas.forget();
      return changes.map(({ method, body }) => (body ? { method, body } : { method }));
    },
    [Symbol.asyncDispose]: () => atlas.stop(),
  };
}

/** A promise that the test resolves. */
export function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

function symbol({ method, path }: { method: string; path: string }): string {
  const [, resource, id] = /\/(invites|users)(\/[0-9a-f]{24})?(?:\?|$)/.exec(path) ?? [];
  return `${method} ${resource}${id ? "/id" : ""}`;
}
