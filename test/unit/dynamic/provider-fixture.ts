import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, vi } from "vitest";
import { systemClock } from "../../../provider/atlas/clock.ts";
import * as provider from "../../../provider/dynamic/org-invitation-provider.ts";
import type { Organization } from "../../support/simulated-atlas/organization.ts";
import { SimulatedAtlas } from "../../support/simulated-atlas/simulated-atlas.ts";

export type Properties = Record<string, unknown>;

export const ada = "ada@example.com";
export const team = "5f0000000000000000000001";
export const __provider = "the provider text";
// Processes exchange which people they declare: two runs of one file must not declare the same person.
export const orgId = randomBytes(12).toString("hex");
export const declared = { orgId, username: ada, roles: ["ORG_MEMBER"] };
/** The inputs as `check` returns them. */
export const inputs = { ...declared, onAccepted: "fail", reinviteExpired: false };
/** The inputs as the engine passes them to the other operations. */
export const news = { ...inputs, __provider };

export const SIGNALS = ["SIGINT", "SIGTERM"] as const;

export interface ProviderFixture {
  atlas: SimulatedAtlas;
  organization: Organization;
  /** The stack configuration: the server and the key of an owner. A test may change it. */
  settings: Properties;
  /** What the provider printed on stdout, line by line. */
  lines: string[];
  /** Begins a run of Pulumi, as in a new process. */
  nextRun(): void;
  /** The stored properties of the resource of Ada, as Atlas has her. */
  stored(changes?: Properties): Properties;
  /** The listeners that the provider added for the end of the process. */
  exitListeners(signal: (typeof SIGNALS)[number]): NodeJS.SignalsListener[];
}

/** The provider, and a simulated Atlas with one organization for each test of the file. No wait takes time. */
export function useProvider(): ProviderFixture {
  const fixture = {} as ProviderFixture;

  beforeEach(async () => {
    for (const name of Object.keys(process.env).filter((name) => /^(MONGODB_ATLAS|MCLI)_/.test(name))) {
      vi.stubEnv(name, undefined);
    }
    const lines: string[] = [];
    vi.spyOn(console, "log").mockImplementation((line) => void lines.push(line));
    let now = Date.now();
    vi.spyOn(systemClock, "now").mockImplementation(() => now);
    vi.spyOn(systemClock, "monotonic").mockImplementation(() => now);
    vi.spyOn(systemClock, "sleep").mockImplementation(async (durationMs) => {
      now += durationMs;
    });
    vi.spyOn(systemClock, "random").mockReturnValue(0.5);
    const before = new Set(SIGNALS.flatMap((signal) => process.listeners(signal)));
    const atlas = await SimulatedAtlas.start();
    const organization = atlas.addOrganization({ id: orgId });
    const { publicKey, privateKey } = atlas.addApiKey({ organization });
    const settings: Properties = {
      "mongodbatlas:baseUrl": atlas.url,
      "mongodbatlas:publicKey": publicKey,
      "mongodbatlas:privateKey": privateKey,
    };
    Object.assign(fixture, {
      atlas,
      organization,
      settings,
      lines,
      nextRun: () => provider.configure({ config: { get: (name: string) => settings[name] } as never }),
      stored: (changes: Properties = {}) => ({
        ...news,
        teamIds: [],
        groupRoleAssignments: [],
        status: "PENDING",
        invitationId: organization.find(ada)?.invitationId ?? team,
        userId: organization.find(ada)?.userId,
        ...changes,
      }),
      exitListeners: (signal: "SIGINT" | "SIGTERM") =>
        process.listeners(signal).filter((listener) => !before.has(listener)),
    } satisfies ProviderFixture);
    fixture.nextRun();
  });

  afterEach(async () => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
    await fixture.atlas.stop();
    for (const signal of SIGNALS) {
      for (const listener of fixture.exitListeners(signal)) process.off(signal, listener);
    }
  });
  return fixture;
}
