import { readdir, readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { ada, exchanges, states } from "./exchanges.ts";
import type { Access } from "./organization.ts";
import { startAtlas, TestClient, type TestResponse } from "./test-client.ts";

const unversioned = "application/json";
/** The collections of each API version, with the headers of their successful responses. */
const collections = [
  ["v1.0", "invites", unversioned, null],
  ["v2", "invites", "application/vnd.atlas.2023-01-01+json;charset=utf-8", "Thu, 1 Jul 2027 00:00:00 GMT"],
  ["v2", "users", "application/vnd.atlas.2025-02-19+json;charset=utf-8", null],
] as const;

/** An exchange takes place in each collection and API version that its path matches. */
const runs = exchanges.flatMap((exchange) => {
  const { source, state, request, answer, ...details } = exchange;
  const [method = "", path = ""] = request.split(" ");
  const inOrganization = path.replace(/^v\d/, "").replace(/^(?!\/orgs)/, "/orgs/{orgId}");
  return collections
    .filter(
      ([version, name]) =>
        version.startsWith(/^v\d/.exec(path)?.[0] ?? "v") && RegExp(`/(\\*|${name})\\b`).test(path),
    )
    .map(([version, collection, contentType, sunset]) => ({
      name: `${source}: ${state}, ${method} ${version} ${path} ${JSON.stringify(details)}: ${answer}`,
      exchange,
      method,
      base: `/api/atlas/${version}`,
      path: inOrganization.replace("*", collection),
      collection,
      contentType,
      sunset,
    }));
});
type Run = (typeof runs)[number];

/** The body that requests access, in the form of the collection. */
function accessBody(collection: string, username: string | undefined, requested: Partial<Access>) {
  const { roles, groupRoleAssignments, ...teams } = requested;
  const named = username && { username };
  if (collection === "invites") return { ...named, ...requested };
  const assignments = groupRoleAssignments?.map(({ groupId, roles: groupRoles }) => ({
    groupId,
    groupRoles,
  }));
  const groups = assignments && { groupRoleAssignments: assignments };
  return { ...named, ...teams, ...(roles && { roles: { orgRoles: roles, ...groups } }) };
}

/** What all successful responses, and all errors, have in common. */
function checkForm({ status, headers, text, body }: TestResponse, { contentType, sunset, exchange }: Run) {
  expect(headers.get("www-authenticate")).toBeNull();
  if (status === 204 || status === 405 || exchange.goneAnswer === "bare") expect(text).toBe("");
  if (status < 300) {
    expect([headers.get("content-type"), headers.get("sunset")]).toEqual([contentType, sunset]);
  } else if (text !== "") {
    expect(body).toMatchObject({ error: status, errorCode: headers.get("x-error-code") });
    expect(Object.keys(body)).toEqual(["detail", "error", "errorCode", "parameters", "reason"]);
    expect(headers.get("content-type")).toBe("application/json");
  }
}

test.each(runs)("$name", async (run) => {
  const { exchange, method, base, path, collection } = run;
  const { source, state, request, answer, as = "owner", accept, sentType, ...expected } = exchange;
  const isWrite = method === "POST" || method === "PATCH";
  const {
    access = { roles: [method === "POST" ? "ORG_MEMBER" : "ORG_OWNER"] },
    username = ada,
    ...others
  } = expected;
  const { sent, body, bodyHas, lists, changes = access, stored, sends = true, ...settings } = others;
  let now = Date.parse("2026-08-10T03:03:37.500Z");
  await using fixture = await startAtlas({ now: () => now, ...settings });
  const { atlas, organization, key } = fixture;
  const person = states[state](organization, atlas);
  const before = { users: organization.users, mails: atlas.mails.length };
  const keys = {
    owner: () => key,
    member: () => atlas.addApiKey({ organization, roles: ["ORG_MEMBER"] }),
    stranger: () => atlas.addApiKey({ organization: atlas.addOrganization() }),
  };
  const client = new TestClient(atlas, keys[as]());
  const { invitationId = "5f0000000000000000000008", userId = "5f0000000000000000000009" } = person ?? {};
  const [id, otherId] = collection === "users" ? [userId, invitationId] : [invitationId, userId];
  const values = { id, otherId, url: atlas.url, orgId: organization.id, publicKey: key.publicKey };
  /** Replaces names in braces by the values of this run. */
  const fill = <Value>(value: Value): Value =>
    JSON.parse(
      JSON.stringify(value).replaceAll(/\{(\w+)\}/g, (_, name: keyof typeof values) => values[name]),
    );
  const isVersioned = run.contentType !== unversioned;
  const Accept = accept ?? (isVersioned ? "application/vnd.atlas.2025-03-12+json" : unversioned);
  const named = method === "PATCH" && path.includes("{id}") ? undefined : username;
  const requested = "sent" in exchange ? sent : accessBody(collection, named, access);

  now += 3_600_000;
  const response = await client.sendWithDigest(method, fill(base + path), {
    ...(isWrite && { body: requested }),
    headers: { Accept, ...(sentType && { "Content-Type": sentType }) },
  });

  const { status, headers } = response;
  expect([status, headers.get("x-error-code")].filter(Boolean).join(" ")).toBe(answer);
  checkForm(response, run);
  if (body) expect(response.body).toEqual(fill(body));
  if (bodyHas) expect(response.body).toMatchObject(fill(bodyHas));
  if (lists) {
    const listed: Record<string, string>[] = response.body.results ?? response.body;
    const key = (index: number) => (lists[index]?.includes("@") ? "username" : "id");
    expect(listed.map((item, index) => item[key(index)])).toEqual(fill(lists));
  }

  // What is stored and mailed follows from the method and the answer, if the exchange does not say otherwise.
  const isCreated = method === "POST" && status < 300 && sends;
  const users = before.users.flatMap((user) => {
    if (isCreated) return organization.sameUsername(user.username, username) ? [] : [user];
    if (status > 204 || user.userId !== person?.userId) return [user];
    if (method === "DELETE") return [];
    return [method === "PATCH" ? { ...user, ...changes } : user];
  });
  const created = { username, status: "PENDING", teamIds: [], groupRoleAssignments: [], ...access };
  if (stored) expect(organization.users).toMatchObject(stored);
  else if (isCreated) expect(organization.users).toMatchObject([...users, created]);
  else expect(organization.users).toEqual(users);
  const last = organization.users.at(-1);
  expect(atlas.mails.slice(before.mails).map((mail) => mail.username)).toEqual(
    isCreated ? [last?.username] : [],
  );
  if (isCreated) {
    expect(new Set([id, otherId, last?.invitationId, last?.userId]).size).toBe(4);
    values.id = (collection === "users" ? last?.userId : last?.invitationId) ?? "";
  }
  if (isWrite && status < 300) {
    const item = fill(`${base}/orgs/{orgId}/${collection}/{id}`);
    const read = await client.sendWithDigest("GET", item, { headers: { Accept } });
    expect([read.status, read.body]).toEqual([200, response.body]);
  }
});

test("the simulator imports nothing from the provider", async () => {
  for (const file of await readdir(import.meta.dirname)) {
    const text = await readFile(`${import.meta.dirname}/${file}`, "utf8");
    for (const [, from] of text.matchAll(/(?:from|import\() ?"([^"]+)"/g)) {
      expect(from).toMatch(/^(node:|\.\/[^/]+$|vitest$)/);
    }
  }
});
