import { readdir, readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { ada, type Exchange, exchanges, states } from "./exchanges.ts";
import type { Access } from "./organization.ts";
import { startAtlas, TestClient } from "./test-client.ts";

const unversioned = "application/json";
/** The collections of each API version, with the headers of their successful responses. */
const collections = [
  ["v1.0", "invites", unversioned, null],
  ["v2", "invites", "application/vnd.atlas.2023-01-01+json;charset=utf-8", "Thu, 1 Jul 2027 00:00:00 GMT"],
  ["v2", "users", "application/vnd.atlas.2025-02-19+json;charset=utf-8", null],
] as const;

/** The body that asks for access, in the form of each collection. */
function bodyOf(collection: string, username: string | undefined, { roles, ...access }: Partial<Access>) {
  if (collection === "invites") return { ...(username && { username }), ...(roles && { roles }), ...access };
  const { groupRoleAssignments, ...rest } = access;
  const assignments = groupRoleAssignments?.map(({ groupId, roles: groupRoles }) => ({
    groupId,
    groupRoles,
  }));
  const groups = assignments && { groupRoleAssignments: assignments };
  return { ...(username && { username }), ...(roles && { roles: { orgRoles: roles, ...groups } }), ...rest };
}

/** An exchange takes place in each collection and API version that its path matches. */
function runsOf(exchange: Exchange) {
  const { source, state, request, answer, ...details } = exchange;
  const [method = "", path = ""] = request.split(" ");
  const only = /^v1|^v2/.exec(path)?.[0] ?? "v";
  return collections
    .filter(([version, name]) => version.startsWith(only) && RegExp(`/(\\*|${name})\\b`).test(path))
    .map(([version, collection, contentType, sunset]) => ({
      name: `${source}: ${state}, ${method} ${version} ${path} ${JSON.stringify(details)}: ${answer}`,
      exchange,
      method,
      base: `/api/atlas/${version}`,
      path: path
        .replace(/^v[12]/, "")
        .replace(/^(?!\/orgs)/, "/orgs/{orgId}")
        .replace("*", collection),
      collection,
      contentType,
      sunset,
    }));
}

test.each(exchanges.flatMap(runsOf))(
  "$name",
  async ({ exchange, method, base, path, collection, ...run }) => {
    const { source: _, state, request: __, answer, as = "owner", accept, sentType, ...details } = exchange;
    const { access = { roles: [method === "POST" ? "ORG_MEMBER" : "ORG_OWNER"] }, ...other } = details;
    const {
      username = ada,
      body,
      bodyHas,
      text,
      changes = access,
      stored,
      sends = true,
      ...settings
    } = other;
    let now = Date.parse("2026-08-10T03:03:37.500Z");
    await using fixture = await startAtlas({ now: () => now, ...settings });
    const { atlas, organization, key } = fixture;
    const person = states[state](organization, atlas);
    const keys = {
      owner: () => key,
      member: () => atlas.addApiKey({ organization, roles: ["ORG_MEMBER"] }),
      stranger: () => atlas.addApiKey({ organization: atlas.addOrganization() }),
    };
    const client = new TestClient(atlas, keys[as]());
    const before = { users: organization.users, mails: atlas.mails.length };
    const ids = [
      person?.invitationId ?? "5f0000000000000000000009",
      person?.userId ?? "5f0000000000000000000009",
    ];
    if (collection === "users") ids.reverse();
    const values: Record<string, unknown> = { id: ids[0], otherId: ids[1], url: atlas.url };
    Object.assign(values, { orgId: organization.id, publicKey: key.publicKey });
    /** Replaces names in braces by the values of this run. */
    const fill = <Value>(value: Value): Value =>
      JSON.parse(JSON.stringify(value).replaceAll(/\{(\w+)\}/g, (all, name) => String(values[name] ?? all)));
    const versioned = "application/vnd.atlas.2025-03-12+json";
    const Accept = accept ?? (run.contentType === unversioned ? unversioned : versioned);
    const isUpdateById = method === "PATCH" && path.includes("{id}");
    const sent =
      "sent" in exchange ? exchange.sent : bodyOf(collection, isUpdateById ? undefined : username, access);

    now += 3_600_000;
    const response = await client.sendWithDigest(method, fill(base + path), {
      ...(/POST|PATCH/.test(method) && { body: sent }),
      headers: { Accept, ...(sentType && { "Content-Type": sentType }) },
    });

    const { status, headers } = response;
    expect([status, headers.get("x-error-code")].filter(Boolean).join(" ")).toBe(answer);
    expect(headers.get("www-authenticate")).toBeNull();
    if (status < 300) {
      expect([headers.get("content-type"), headers.get("sunset")]).toEqual([run.contentType, run.sunset]);
    } else if (response.text !== "") {
      const error = response.body.content ?? response.body;
      expect(error).toMatchObject({ error: status, errorCode: headers.get("x-error-code") });
      expect(Object.keys(error)).toEqual(["detail", "error", "errorCode", "parameters", "reason"]);
      expect(headers.get("content-type")).toBe("application/json");
    }
    if ([204, 405].includes(status) || exchange.goneAnswer === "bare") expect(response.text).toBe("");
    if (body) expect(response.body).toEqual(fill(body));
    if (bodyHas) expect(response.body).toMatchObject(fill(bodyHas));
    if (text) expect(response.text).toContain(text);
    else expect(response.text).not.toContain("\n");

    const isCreated = method === "POST" && status < 300 && sends;
    const mails = atlas.mails.slice(before.mails).map((mail) => mail.username);
    expect(mails).toEqual(isCreated ? [organization.users.at(-1)?.username] : []);
    if (stored) expect(organization.users).toMatchObject(fill(stored));
    else if (isCreated) {
      const users = before.users.filter((user) => !organization.sameUsername(user.username, username));
      const created = { username, status: "PENDING", teamIds: [], groupRoleAssignments: [], ...access };
      expect(organization.users).toMatchObject([...users, created]);
    } else {
      const isDone = status < 300 && method !== "GET" && method !== "POST";
      const users = before.users.map((user) =>
        isDone && user.userId === person?.userId ? method !== "DELETE" && { ...user, ...changes } : user,
      );
      expect(organization.users).toEqual(users.filter(Boolean));
    }
    if (isCreated) {
      const { invitationId, userId } = organization.users.at(-1) ?? {};
      for (const id of [invitationId, userId]) expect(ids).not.toContain(id);
      expect(invitationId).not.toBe(userId);
      values.id = collection === "users" ? userId : invitationId;
    }
    if (/POST|PATCH/.test(method) && status < 300) {
      const read = await client.sendWithDigest("GET", fill(`${base}/orgs/{orgId}/${collection}/{id}`), {
        headers: { Accept },
      });
      expect([read.status, read.body]).toEqual([200, response.body]);
    }
  },
);

test("the simulator imports nothing from the provider", async () => {
  for (const file of await readdir(import.meta.dirname)) {
    const text = await readFile(`${import.meta.dirname}/${file}`, "utf8");
    for (const [, from] of text.matchAll(/(?:from|import\() ?"([^"]+)"/g)) {
      expect(from).toMatch(/^(node:|\.\/[^/]+$|vitest$)/);
    }
  }
});
