import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { systemClock } from "../../../provider/atlas/clock.ts";
import { Transport } from "../../../provider/atlas/transport.ts";
import * as provider from "../../../provider/dynamic/org-invitation-provider.ts";
import { formsOf } from "../../support/secret-forms.ts";
import type { Fault, FaultMatch } from "../../support/simulated-atlas/faults.ts";
import type { Organization } from "../../support/simulated-atlas/organization.ts";
import { SimulatedAtlas } from "../../support/simulated-atlas/simulated-atlas.ts";

/*
 * Credentials are the canary: whatever kind they are of, and whatever goes wrong, nothing that can be got out
 * of an error, and nothing that is printed, may tell of them.
 */

type Settings = Record<string, string>;

interface Kind {
  /** Gives the organization credentials of the kind: the setting that is not secret, if any, and the secret. */
  add(atlas: SimulatedAtlas, organization: Organization): Settings;
  first: string | undefined;
  secret: string;
  generations: string[];
}

const KINDS: Record<string, Kind> = {
  "an API key": {
    add: (atlas, organization) => {
      const { publicKey, privateKey } = atlas.addApiKey({ organization });
      return { "mongodbatlas:publicKey": publicKey, "mongodbatlas:privateKey": privateKey };
    },
    first: "mongodbatlas:publicKey",
    secret: "mongodbatlas:privateKey",
    generations: ["v1.0", "v2", "users"],
  },
  "a service account": {
    add: (atlas, organization) => {
      const { clientId, clientSecret } = atlas.addServiceAccount({ organization });
      return { "mongodbatlas:clientId": clientId, "mongodbatlas:clientSecret": clientSecret };
    },
    first: "mongodbatlas:clientId",
    secret: "mongodbatlas:clientSecret",
    generations: ["v2", "users"],
  },
  "an access token": {
    add: (atlas, organization) => ({ "mongodbatlas:accessToken": atlas.addAccessToken({ organization }) }),
    first: undefined,
    secret: "mongodbatlas:accessToken",
    generations: ["v2", "users"],
  },
};

/** An answer of Atlas to every request, whatever Atlas would have said. */
const answer = (status: number, errorCode: string, headers?: Record<string, string>): Fault => ({
  status,
  body: { error: status, errorCode, detail: "No.", reason: "No", parameters: [] },
  ...(headers && { headers }),
});

const HTML = { "Content-Type": "text/html" };

/** Whatever a network or an Atlas can do to a request. */
const FAULTS: Record<string, Fault> = {
  "a 401": answer(401, "UNAUTHORIZED"),
  "a 403": answer(403, "IP_ADDRESS_NOT_ON_ACCESS_LIST"),
  "a 404": answer(404, "ORG_NOT_FOUND"),
  "a 404 without a code": { status: 404 },
  "a 409": answer(409, "USER_ALREADY_EXISTS"),
  "a 410": answer(410, "VERSION_GONE"),
  "a 429 for longer than it may wait": answer(429, "RATE_LIMITED", { "Retry-After": "3600" }),
  "a throttle for longer than it may wait": answer(400, "INVITATIONS_RATE_LIMITED_IP"),
  "a 500": answer(500, "UNEXPECTED_ERROR"),
  "a 503 in HTML": { status: 503, body: "<html><body>Unavailable</body></html>", headers: HTML },
  "a cut before the work": { cut: "before" },
  "a cut after the work": { cut: "after" },
  "half an answer": { damage: "half head" },
  garbage: { status: 200, body: '{"id":' },
  "JSON of another kind": { status: 200, body: { results: 1, totalCount: "many" } },
  "a redirect": { status: 302, headers: { Location: "http://127.0.0.1:9/elsewhere" } },
};

/** Settings that are wrong, made of right ones. */
const MISTAKES: Record<string, (settings: Settings, kind: Kind) => Settings | Promise<Settings>> = {
  "a secret that Atlas refuses": (settings, { secret }) => ({
    ...settings,
    [secret]: `${settings[secret]?.slice(0, -4)}XXXX`,
  }),
  "a secret with a line break": (settings, { first, secret }) => {
    const name = first ?? secret;
    return { ...settings, [name]: `${settings[name]}\r\nX-More: 1` };
  },
  "a server that refuses connections": async (settings) => ({
    ...settings,
    "mongodbatlas:baseUrl": await refusing(),
  }),
  "a server that is no URL": (settings, { secret }) => ({
    ...settings,
    "mongodbatlas:baseUrl": `${settings[secret]}`,
  }),
  "a server with the secret in its URL": (settings, { secret }) => ({
    ...settings,
    "mongodbatlas:baseUrl": `https://user:${settings[secret]}@cloud.example.com/${settings[secret]}`,
  }),
  "a server without TLS": (settings, { secret }) => ({
    ...settings,
    "mongodbatlas:baseUrl": `http://${settings[secret]}.example.com`,
  }),
  "half a pair": (settings, { first = "mongodbatlas:accessToken", secret }) => ({
    ...settings,
    // Of a kind with one half only, the half of another one is left.
    [first]: "",
    ...(first === secret && { "mongodbatlas:clientSecret": `${settings[secret]}` }),
  }),
};

const ada = "ada@example.com";
let atlas: SimulatedAtlas;
let organization: Organization;
let printed: string[];
let authorizations: string[];
let listeners: NodeJS.SignalsListener[];

beforeEach(async () => {
  for (const name of Object.keys(process.env).filter((name) => /^(MONGODB_ATLAS|MCLI)_/.test(name))) {
    vi.stubEnv(name, undefined);
  }
  listeners = signalListeners();
  atlas = await SimulatedAtlas.start();
  organization = atlas.addOrganization();
  printed = [];
  authorizations = [];
  const print = (...values: unknown[]) => {
    printed.push(values.map((value) => (typeof value === "string" ? value : inspect(value))).join(" "));
  };
  for (const method of ["log", "info", "warn", "error", "debug"] as const) {
    vi.spyOn(console, method).mockImplementation(print);
  }
  for (const stream of [process.stdout, process.stderr]) {
    vi.spyOn(stream, "write").mockImplementation((text) => {
      print(String(text));
      return true;
    });
  }
  // Waits are over at once.
  let now = Date.now();
  vi.spyOn(systemClock, "now").mockImplementation(() => now);
  vi.spyOn(systemClock, "monotonic").mockImplementation(() => now);
  vi.spyOn(systemClock, "sleep").mockImplementation(async (durationMs) => {
    now += durationMs;
  });
  const { send: exchange } = Transport.prototype;
  vi.spyOn(Transport.prototype, "send").mockImplementation(function (this: Transport, message) {
    authorizations.push(message.headers.authorization ?? "");
    return exchange.call(this, message);
  });
});

afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  await atlas.stop();
  // A connection with a service account waits for the end of the process.
  const added = signalListeners().filter((listener) => !listeners.includes(listener));
  for (const listener of added) process.off("SIGINT", listener).off("SIGTERM", listener);
});

const signalListeners = () =>
  ["SIGINT", "SIGTERM"].flatMap((signal) => process.listeners(signal as "SIGINT"));

/** The address of a server that is no more. */
async function refusing(): Promise<string> {
  const gone = await SimulatedAtlas.start();
  const { url } = gone;
  await gone.stop();
  return url;
}

/** Configures the provider anew: settings that differ from all before mean another connection. */
function configure(settings: Settings): void {
  const told: Settings = {
    "mongodbatlas:baseUrl": atlas.url,
    "mongodbatlas:debug": "1",
    "mongodbatlas:maxWait": "30s",
    ...settings,
  };
  provider.configure({ config: { get: (name: string) => told[name] } as never });
}

const inputs = () => ({
  orgId: organization.id,
  username: ada,
  roles: ["ORG_MEMBER"],
  teamIds: [],
  groupRoleAssignments: [],
  onAccepted: "manage",
  reinviteExpired: false,
  __provider: "the provider text",
});

const OPERATIONS: Record<string, () => Promise<unknown>> = {
  create: () => provider.create(inputs()),
  read: () => provider.read("id", stored()),
  update: () => provider.update("id", stored(), { ...inputs(), roles: ["ORG_OWNER"] }),
  delete: () => provider.delete("id", stored()),
};

const stored = () => ({
  ...inputs(),
  status: "PENDING",
  invitationId: organization.find(ada)?.invitationId ?? "5f0000000000000000000001",
  userId: organization.find(ada)?.userId,
});

/** What each operation failed with; those that did not are left out. */
async function failures(): Promise<Record<string, Error>> {
  const errors: Record<string, Error> = {};
  for (const [name, run] of Object.entries(OPERATIONS)) {
    await run().catch((error: Error) => {
      errors[name] = error;
    });
  }
  return errors;
}

/** Everything that can be got out of an error. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return inspect(error);
  const { name, message, stack, cause } = error;
  const own = JSON.stringify(error, Object.getOwnPropertyNames(error));
  const inspected = inspect(error, { depth: null, showHidden: true, getters: true, maxStringLength: null });
  const texts = [name, message, String(error), String(stack), JSON.stringify(error), own, inspected];
  return [...texts, cause === undefined ? "" : textOf(cause)].join("\n");
}

/** Each form of the credentials, and all that was ever sent as `Authorization`. */
function canaries(...told: Settings[]): string[] {
  const credentials = told.flatMap((settings) => {
    const [first = "", second = first] = Object.entries(settings)
      .filter(([name, value]) => name !== "mongodbatlas:baseUrl" && value)
      .map(([, value]) => value);
    return formsOf({ publicKey: first, privateKey: second });
  });
  const tokens = atlas.tokens.flatMap(({ token }) => formsOf({ publicKey: token, privateKey: token }));
  const sent = authorizations.filter(Boolean).flatMap((header) => {
    const [scheme = "", ...rest] = header.split(" ");
    const [, response = ""] = /\bresponse="([^"]+)"/.exec(header) ?? [];
    return [header, rest.join(" "), response, `${scheme} ${rest[0]}`].filter(Boolean);
  });
  return [...new Set([...credentials, ...tokens, ...sent])];
}

function expectSilence(errors: Record<string, Error>, ...told: Settings[]): void {
  const text = [...Object.values(errors).map(textOf), ...printed].join("\n");
  const found = canaries(...told).filter((canary) => text.includes(canary));
  expect({ found, in: found.length > 0 ? text : "" }).toEqual({ found: [], in: "" });
}

/** Strikes every request that its path matches. */
function failAll(fault: Fault, match: FaultMatch = {}): void {
  atlas.fail({ times: Number.POSITIVE_INFINITY, ...match, ...fault });
}

const ALL = ["create", "read", "update", "delete"];
const TOKEN_ENDPOINT = { path: /^\/api\/oauth\/token/, authenticated: "either" as const };

describe.each(Object.entries(KINDS))("%s", (_, kind) => {
  let settings: Settings;
  beforeEach(() => {
    settings = kind.add(atlas, organization);
    organization.invite(ada);
  });

  describe.each(kind.generations)("on the %s API", (generation) => {
    test.each(Object.entries(FAULTS))("is silent about itself at %s", async (_, fault) => {
      configure({ ...settings, "mongodbatlas:invitationsApi": generation });
      failAll(fault);
      const errors = await failures();
      expect(Object.keys(errors)).toEqual(ALL);
      expect(authorizations.filter(Boolean)).not.toEqual([]);
      expect(printed.join("\n")).toContain("/api/atlas/");
      expectSilence(errors, settings);
    });
  });

  test.each(Object.entries(MISTAKES))("is silent about itself with %s", async (_, mistaken) => {
    const wrong = await mistaken(settings, kind);
    configure(wrong);
    const errors = await failures();
    expect(Object.keys(errors)).toEqual(ALL);
    expectSilence(errors, settings, wrong);
  });

  test("is silent about itself when nothing goes wrong, and keeps nothing of itself", async () => {
    organization.cancel(ada);
    configure(settings);
    const results = [];
    for (const run of Object.values(OPERATIONS)) results.push(JSON.stringify(await run()) ?? "");
    // Atlas itself tells who invited: of an API key, its public half (recorded).
    const texts = results.map((result) => result.replace(/"inviterUsername":"[^"]*"/g, ""));
    expect(texts.join()).toContain(ada);
    printed.push(...texts);
    expectSilence({}, settings);
  });

  test("is recognised in whatever form", () => {
    const [secret = ""] = [settings[kind.secret]];
    for (const text of [secret, Buffer.from(`a:${secret}`).toString("base64"), `Bearer ${secret}`]) {
      const error = new Error("harmless", { cause: { text } });
      expect(() => expectSilence({ create: error }, settings)).toThrow();
      const hidden = Object.defineProperty(new Error("harmless"), "hidden", { value: text });
      expect(() => expectSilence({ create: hidden }, settings)).toThrow();
    }
  });
});

describe("a service account that gets no token", () => {
  test.each([
    ...Object.entries(FAULTS),
    ["invalid_client", { status: 401, body: { error: "invalid_client", error_description: "No." } }] as const,
  ])("is silent about itself at %s", async (_, fault) => {
    const settings = KINDS["a service account"]?.add(atlas, organization) ?? {};
    configure(settings);
    failAll(fault, TOKEN_ENDPOINT);
    const errors = await failures();
    expect(Object.keys(errors)).toEqual(ALL);
    expect(authorizations.filter(Boolean)).not.toEqual([]);
    expectSilence(errors, settings);
  });
});
