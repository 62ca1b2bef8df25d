import { inspect } from "node:util";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { Transport } from "../../../provider/atlas/client/transport.ts";
import * as provider from "../../../provider/dynamic/org-invitation-provider.ts";
import { formsOf } from "../../support/secret-forms.ts";
import type { Fault, FaultMatch } from "../../support/simulated-atlas/faults.ts";
import type { Organization } from "../../support/simulated-atlas/organization.ts";
import { SimulatedAtlas } from "../../support/simulated-atlas/simulated-atlas.ts";
import { ada, news, useProvider } from "./provider-fixture.ts";

/*
 * Whatever kind the credentials are of, and whatever fails: nothing that is printed, and nothing that an error contains,
 * reveals them.
 */

type Settings = Record<string, string>;

/** Adds credentials of the kind to the organization. Returns their settings, the secret one last. */
type AddCredentials = (atlas: SimulatedAtlas, organization: Organization) => Settings;

const KINDS: Record<string, AddCredentials> = {
  "an API key": (atlas, organization) => {
    const { publicKey, privateKey } = atlas.addApiKey({ organization });
    return { "mongodbatlas:publicKey": publicKey, "mongodbatlas:privateKey": privateKey };
  },
  "a service account": (atlas, organization) => {
    const { clientId, clientSecret } = atlas.addServiceAccount({ organization });
    return { "mongodbatlas:clientId": clientId, "mongodbatlas:clientSecret": clientSecret };
  },
  "an access token": (atlas, organization) => ({
    "mongodbatlas:accessToken": atlas.addAccessToken({ organization }),
  }),
};

/** An answer in place of that of Atlas. */
const answer = (status: number, errorCode: string, headers?: Record<string, string>): Fault => ({
  status,
  body: { error: status, errorCode, detail: "No.", reason: "No", parameters: [] },
  ...(headers && { headers }),
});

const HTML = { "Content-Type": "text/html" };

/** What Atlas, or the network, can do to a request. */
const FAULTS: Record<string, Fault> = {
  "a 401": answer(401, "UNAUTHORIZED"),
  "a 403": answer(403, "IP_ADDRESS_NOT_ON_ACCESS_LIST"),
  "a 404": answer(404, "ORG_NOT_FOUND"),
  "a 404 without a code": { status: 404 },
  "a 409": answer(409, "USER_ALREADY_EXISTS"),
  "a 410": answer(410, "VERSION_GONE"),
  "a 429 that asks for too long a wait": answer(429, "RATE_LIMITED", { "Retry-After": "3600" }),
  "the throttle, for too long a wait": answer(400, "INVITATIONS_RATE_LIMITED_IP"),
  "a 500": answer(500, "UNEXPECTED_ERROR"),
  "a 503 in HTML": { status: 503, body: "<html><body>Unavailable</body></html>", headers: HTML },
  "a connection that breaks before Atlas has done the work": { cut: "before" },
  "a connection that breaks after Atlas has done the work": { cut: "after" },
  "half an answer": { damage: "half head" },
  "invalid JSON": { status: 200, body: '{"id":' },
  "unexpected JSON": { status: 200, body: { results: 1, totalCount: "many" } },
  "a redirect": { status: 302, headers: { Location: "http://127.0.0.1:9/elsewhere" } },
};

/** The settings that a mistake changes, for the first value and the secret of the right ones. */
const MISTAKES: Record<
  string,
  (names: string[], first: string, secret: string) => Settings | Promise<Settings>
> = {
  "a secret that Atlas rejects": ([, name = ""], _, secret) => ({ [name]: `${secret.slice(0, -4)}XXXX` }),
  "a value with a line break": ([name = ""], first) => ({ [name]: `${first}\r\nX-More: 1` }),
  "a server that refuses connections": async () => ({ "mongodbatlas:baseUrl": await refusing() }),
  "the secret in place of the server": (_, __, secret) => ({ "mongodbatlas:baseUrl": secret }),
  "a server with the secret in its URL": (_, __, secret) => ({
    "mongodbatlas:baseUrl": `https://user:${secret}@cloud.example.com/${secret}`,
  }),
  "a server without TLS": (_, __, secret) => ({ "mongodbatlas:baseUrl": `http://${secret}.example.com` }),
  "half a pair": ([name = "", secretName], _, secret) => ({
    [name]: "",
    ...(name === secretName && { "mongodbatlas:clientSecret": secret }),
  }),
};

const fixture = useProvider();
let printed: string[];
let authorizations: string[];

beforeEach(() => {
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
  const { send } = Transport.prototype;
  vi.spyOn(Transport.prototype, "send").mockImplementation(function (this: Transport, request) {
    authorizations.push(request.headers.authorization ?? "");
    return send.call(this, request);
  });
});

/** The address of a server that was stopped. */
async function refusing(): Promise<string> {
  const stopped = await SimulatedAtlas.start();
  const { url } = stopped;
  await stopped.stop();
  return url;
}

/** Begins a run with these credentials. */
function configure(settings: Settings): void {
  const { "mongodbatlas:publicKey": _, "mongodbatlas:privateKey": __, ...others } = fixture.settings;
  const common = { "mongodbatlas:debug": "1", "mongodbatlas:maxWait": "30s" };
  const all: Record<string, unknown> = { ...others, ...common, ...settings };
  provider.configure({ config: { get: (name: string) => all[name] } as never });
}

const managed = { ...news, onAccepted: "manage" };
const stored = () => fixture.stored({ onAccepted: "manage" });

const OPERATIONS: Record<string, () => Promise<unknown>> = {
  create: () => provider.create(managed),
  read: () => provider.read("id", stored()),
  update: () => provider.update("id", stored(), { ...managed, roles: ["ORG_OWNER"] }),
  delete: () => provider.delete("id", stored()),
};

/** The error of each operation that fails. */
async function failures(): Promise<Record<string, Error>> {
  const errors: Record<string, Error> = {};
  for (const [name, run] of Object.entries(OPERATIONS)) {
    await run().catch((error: Error) => {
      errors[name] = error;
    });
  }
  return errors;
}

/** Everything that an error contains, also in hidden properties and in its cause. */
function textOf(error: Error): string {
  const inspected = inspect(error, { depth: null, showHidden: true, getters: true, maxStringLength: null });
  return [error.message, String(error), JSON.stringify(error), inspected].join("\n");
}

/** Each form of the credentials, and of everything that was sent as `Authorization`. */
function formsOfSecrets(...all: Settings[]): string[] {
  const credentials = all.flatMap((settings) => {
    const [first = "", second = first] = Object.entries(settings)
      .filter(([name, value]) => name !== "mongodbatlas:baseUrl" && value)
      .map(([, value]) => value);
    return formsOf({ publicKey: first, privateKey: second });
  });
  const tokens = fixture.atlas.tokens.flatMap(({ token }) =>
    formsOf({ publicKey: token, privateKey: token }),
  );
  const sent = authorizations.filter(Boolean).flatMap((header) => {
    const [scheme = "", ...rest] = header.split(" ");
    const [, response = ""] = /\bresponse="([^"]+)"/.exec(header) ?? [];
    return [header, rest.join(" "), response, `${scheme} ${rest[0]}`].filter(Boolean);
  });
  return [...new Set([...credentials, ...tokens, ...sent])];
}

function expectNoSecret(errors: Record<string, Error>, ...all: Settings[]): void {
  const text = [...Object.values(errors).map(textOf), ...printed].join("\n");
  const found = formsOfSecrets(...all).filter((form) => text.includes(form));
  expect({ found, in: found.length > 0 ? text : "" }).toEqual({ found: [], in: "" });
}

/** Fails every request that matches. */
function failAll(fault: Fault, match: FaultMatch = {}): void {
  fixture.atlas.fail({ times: Number.POSITIVE_INFINITY, ...match, ...fault });
}

/** Every operation fails, and no error and no line reveals the credentials. */
async function expectHiddenSecrets(...all: Settings[]): Promise<void> {
  const errors = await failures();
  expect(Object.keys(errors)).toEqual(["create", "read", "update", "delete"]);
  expectNoSecret(errors, ...all);
}

describe.each(Object.entries(KINDS))("%s", (kind, addCredentials) => {
  let settings: Settings;
  beforeEach(() => {
    settings = addCredentials(fixture.atlas, fixture.organization);
    fixture.organization.invite(ada);
  });

  describe.each(["v2", "users", ...(kind === "an API key" ? ["v1.0"] : [])])("on the %s API", (version) => {
    test.each(Object.entries(FAULTS))("is not revealed by %s", async (_, fault) => {
      configure({ ...settings, "mongodbatlas:invitationsApi": version });
      failAll(fault);
      await expectHiddenSecrets(settings);
      expect(authorizations.filter(Boolean)).not.toEqual([]);
      expect(printed.join("\n")).toContain("/api/atlas/");
    });
  });

  test.each(Object.entries(MISTAKES))("is not revealed by %s", async (_, mistaken) => {
    const names = Object.keys(settings);
    const [first = "", secret = first] = Object.values(settings);
    const wrong = {
      ...settings,
      ...(await mistaken([names[0] as string, names.at(-1) as string], first, secret)),
    };
    configure(wrong);
    await expectHiddenSecrets(settings, wrong);
  });

  test("is neither printed nor stored where nothing fails", async () => {
    fixture.organization.cancel(ada);
    configure(settings);
    for (const run of Object.values(OPERATIONS)) {
      // Atlas itself names the public half of the API key that invited (recorded).
      printed.push((JSON.stringify(await run()) ?? "").replace(/"inviterUsername":"[^"]*"/g, ""));
    }
    expect(printed.join()).toContain(ada);
    expectNoSecret({}, settings);
  });

  test("is found in every form by these tests", () => {
    const secret = Object.values(settings).at(-1);
    for (const text of [secret, Buffer.from(`a:${secret}`).toString("base64"), `Bearer ${secret}`]) {
      const error = new Error("harmless", { cause: { text } });
      expect(() => expectNoSecret({ create: error }, settings)).toThrow();
      const hidden = Object.defineProperty(new Error("harmless"), "hidden", { value: text });
      expect(() => expectNoSecret({ create: hidden }, settings)).toThrow();
    }
  });
});

test.each([
  ...Object.entries(FAULTS),
  ["invalid_client", { status: 401, body: { error: "invalid_client", error_description: "No." } }] as const,
])("a service account that gets no token is not revealed by %s", async (_, fault) => {
  const settings = KINDS["a service account"]?.(fixture.atlas, fixture.organization) ?? {};
  configure(settings);
  failAll(fault, { path: /^\/api\/oauth\/token/, authenticated: "either" });
  await expectHiddenSecrets(settings);
  expect(authorizations.filter(Boolean)).not.toEqual([]);
});
