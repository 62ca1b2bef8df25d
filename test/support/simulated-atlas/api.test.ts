import { describe, expect, test } from "vitest";
import { Caller, startScene } from "./caller.ts";

describe("version negotiation", () => {
  /** Lists one family with an Accept header. */
  async function list(family: "invites" | "users", Accept: string) {
    await using scene = await startScene();
    // Awaited here, because the simulator stops on return.
    return await scene.caller.call("GET", `/api/atlas/v2${scene[family]}`, { headers: { Accept } });
  }

  test.each([
    ["invites", "2023-01-01", "2023-01-01"],
    ["invites", "2025-03-12", "2023-01-01"],
    ["invites", "2099-12-31", "2023-01-01"],
    ["users", "2025-02-19", "2025-02-19"],
    ["users", "2025-03-12", "2025-02-19"],
  ] as const)("%s asked for as of %s answer as of %s", async (family, asked, answered) => {
    const { status, headers } = await list(family, `application/vnd.atlas.${asked}+json`);

    expect(status).toBe(200);
    expect(headers.get("content-type")).toBe(`application/vnd.atlas.${answered}+json;charset=utf-8`);
  });

  test.each([
    ["invites", "application/json"],
    ["invites", "*/*"],
    ["invites", "application/vnd.atlas.2022-12-31+json"],
    ["invites", "application/vnd.atlas.preview+json"],
    ["users", "application/vnd.atlas.2023-01-01+json"],
  ] as const)("%s are not acceptable as %s", async (family, accept) => {
    const { status, headers, body } = await list(family, accept);

    expect(status).toBe(406);
    expect(headers.get("content-type")).toBe("application/json");
    expect(body.error).toBe(406);
  });

  test.each(["2023-02-30", "2023-13-01", "2023-1-1", "20230101"])("%s is no version date", async (date) => {
    const answer = await list("invites", `application/vnd.atlas.${date}+json`);

    expect(answer).toMatchObject({ status: 400, body: { errorCode: "INVALID_VERSION_DATE" } });
  });

  test("only the versioned invitations announce their end", async () => {
    await using scene = await startScene();

    const v1 = await scene.caller.v1("GET", scene.invites);
    const v2 = await scene.caller.v2("GET", scene.invites);
    const users = await scene.caller.v2("GET", scene.users);

    expect(v2.headers.get("deprecation")).toBe("Wed, 19 Feb 2025 00:00:00 GMT");
    expect(v2.headers.get("sunset")).toBe("Thu, 1 Jul 2027 00:00:00 GMT");
    expect([v1.headers.get("sunset"), users.headers.get("sunset")]).toEqual([null, null]);
  });

  test("the first API speaks plain JSON, and nothing else", async () => {
    await using scene = await startScene();
    const path = `/api/atlas/v1.0${scene.invites}`;

    const plain = await scene.caller.call("GET", path, { headers: { Accept: "*/*" } });
    const versioned = await scene.caller.call("GET", path, {
      headers: { Accept: "application/vnd.atlas.2023-01-01+json" },
    });

    expect([plain.status, plain.headers.get("content-type")]).toEqual([200, "application/json"]);
    expect(versioned.status).toBe(406);
  });

  test("a body that is not declared as JSON is not read", async () => {
    await using scene = await startScene();

    const answer = await scene.caller.call("POST", `/api/atlas/v1.0${scene.invites}`, {
      body: { username: "ada@example.com", roles: ["ORG_MEMBER"] },
      headers: { "Content-Type": "text/plain" },
    });

    expect(answer.status).toBe(415);
    expect(scene.organization.users).toEqual([]);
  });
});

test("after the sunset both invitations APIs are gone, and users remain", async () => {
  await using scene = await startScene();
  const { invitationId } = scene.organization.invite("ada@example.com");
  scene.atlas.sunset();

  const gone = { status: 410, body: { errorCode: "VERSION_GONE" } };
  expect(await scene.caller.v1("DELETE", `${scene.invites}/${invitationId}`)).toMatchObject(gone);
  expect(await scene.caller.v2("GET", scene.invites)).toMatchObject(gone);
  expect((await scene.caller.v2("GET", scene.users)).body.results).toHaveLength(1);
});

test("a sunset can be set to retire request by request", async () => {
  await using scene = await startScene();
  const other = scene.atlas.addOrganization();
  const otherCaller = new Caller(scene.atlas, scene.atlas.addApiKey({ organization: other }));
  const otherInvites = `/orgs/${other.id}/invites?username=ada@example.com`;
  const seen: object[] = [];

  scene.atlas.sunset((request) => {
    seen.push(request);
    return request.path.includes(other.id) || request.method === "POST";
  });

  const gone = { status: 410, body: { errorCode: "VERSION_GONE" } };
  const body = { username: "ada@example.com", roles: ["ORG_MEMBER"] };
  expect((await scene.caller.v2("GET", scene.invites)).status).toBe(200);
  expect(await scene.caller.v2("POST", scene.invites, body)).toMatchObject(gone);
  expect(await otherCaller.v1("GET", otherInvites)).toMatchObject(gone);
  expect((await otherCaller.v2("GET", `/orgs/${other.id}/users`)).status).toBe(200);
  expect(seen).toEqual([
    { method: "GET", path: `/api/atlas/v2${scene.invites}` },
    { method: "POST", path: `/api/atlas/v2${scene.invites}` },
    { method: "GET", path: `/api/atlas/v1.0${otherInvites}` },
  ]);
  expect(scene.organization.users).toEqual([]);

  scene.atlas.sunset(() => false);
  expect((await otherCaller.v1("GET", otherInvites)).status).toBe(200);
});

describe("authorization", () => {
  test.each([401, 403] as const)(
    "a key that is no owner's may read users and nothing else (%s)",
    async (status) => {
      await using scene = await startScene({ notOwnerAnswer: status });
      const caller = new Caller(
        scene.atlas,
        scene.atlas.addApiKey({ organization: scene.organization, roles: ["ORG_MEMBER"] }),
      );
      const { invitationId, userId } = scene.organization.invite("ada@example.com");

      const refused = { status, body: { error: status, errorCode: "NOT_ORG_OWNER" } };
      const deleted = await caller.v1("DELETE", `${scene.invites}/${invitationId}`);
      expect(deleted).toMatchObject(refused);
      expect(deleted.headers.get("www-authenticate")).toBeNull();
      expect(await caller.v2("GET", scene.invites)).toMatchObject(refused);
      expect(await caller.v2("DELETE", `${scene.users}/${userId}`)).toMatchObject(refused);
      expect((await caller.v2("GET", scene.users)).status).toBe(200);
      expect(scene.organization.invitations).toHaveLength(1);
    },
  );

  test.each(["NOT_ORG_OWNER", "USER_UNAUTHORIZED"] as const)(
    "the error code for a key that is no owner's can be set to %s",
    async (notOwnerCode) => {
      await using scene = await startScene({ notOwnerCode });
      const key = scene.atlas.addApiKey({ organization: scene.organization, roles: ["ORG_READ_ONLY"] });
      const caller = new Caller(scene.atlas, key);

      const refused = { status: 401, body: { errorCode: notOwnerCode } };
      expect(await caller.v2("GET", scene.invites)).toMatchObject(refused);
      expect(await caller.v2("POST", scene.users, {})).toMatchObject(refused);
      expect((await caller.v2("GET", scene.users)).status).toBe(200);
    },
  );

  test("a key of another organization has no access, and the answer is no challenge", async () => {
    await using scene = await startScene();
    const other = scene.atlas.addOrganization();
    const path = `/api/atlas/v1.0/orgs/${other.id}/invites`;

    const answer = await scene.caller.v1("GET", `/orgs/${other.id}/invites`);

    expect(answer).toMatchObject({ status: 401, body: { errorCode: "USER_CANNOT_ACCESS_ORG" } });
    expect(answer.headers.get("www-authenticate")).toBeNull();
    expect(scene.atlas.log()).toEqual([`GET ${path} 401 challenge`, `GET ${path} 401`]);
  });

  test("an unknown organization is not found", async () => {
    await using scene = await startScene();
    const id = "0".repeat(24);

    expect(await scene.caller.v2("DELETE", `/orgs/${id}/invites/${id}`)).toMatchObject({
      status: 404,
      body: { errorCode: "ORG_NOT_FOUND", parameters: [id] },
    });
  });

  test("an access list is required, or does not hold the caller", async () => {
    await using scene = await startScene();

    scene.organization.accessList = [];
    expect(await scene.caller.v1("GET", scene.invites)).toMatchObject({
      status: 403,
      body: {
        detail: "This organization requires access through an access list of ip ranges.",
        error: 403,
        errorCode: "ORG_REQUIRES_ACCESS_LIST",
        parameters: ["127.0.0.1"],
        reason: "Forbidden",
      },
    });
    scene.organization.accessList = ["10.0.0.1"];
    expect(await scene.caller.v1("GET", scene.invites)).toMatchObject({
      status: 403,
      body: { errorCode: "IP_ADDRESS_NOT_ON_ACCESS_LIST" },
    });
    scene.organization.accessList = ["10.0.0.1", "127.0.0.1"];
    expect((await scene.caller.v1("GET", scene.invites)).status).toBe(200);
  });
});

test("an error carries its code in the body and in a header", async () => {
  await using scene = await startScene();

  const { headers, body } = await scene.caller.v2("GET", `${scene.invites}/x`);

  expect(headers.get("content-type")).toBe("application/json");
  expect(headers.get("x-error-code")).toBe("INVALID_INVITATION_ID");
  expect(Object.keys(body)).toEqual(["detail", "error", "errorCode", "parameters", "reason"]);
});

test("the misprint of the seed's page leads nowhere", async () => {
  await using scene = await startScene();
  const { invitationId } = scene.organization.invite("ada@example.com");

  const answer = await scene.caller.v1(
    "DELETE",
    `/orgs/${scene.organization.id}/invitations/${invitationId}`,
  );

  expect(answer).toMatchObject({ status: 404, body: { errorCode: "RESOURCE_NOT_FOUND" } });
  expect(scene.organization.invitations).toHaveLength(1);
});

test("pretty breaks the body into lines", async () => {
  await using scene = await startScene();
  scene.organization.invite("ada@example.com");

  const plain = await scene.caller.v1("GET", scene.invites);
  const pretty = await scene.caller.v1("GET", `${scene.invites}?pretty=true`);

  expect(plain.text).not.toContain("\n");
  expect(pretty.text).toContain('\n    "username": "ada@example.com"');
  expect(pretty.body).toEqual(plain.body);
});

test("envelope wraps a body with its status", async () => {
  await using scene = await startScene();
  const { invitationId } = scene.organization.invite("ada@example.com");
  const enveloped = async (path: string) => (await scene.caller.v2("GET", `${path}?envelope=true`)).body;

  expect(await enveloped(scene.invites)).toMatchObject({ status: 200, content: [{ id: invitationId }] });
  expect(await enveloped(`${scene.invites}/${invitationId}`)).toMatchObject({
    status: 200,
    content: { id: invitationId },
  });
  expect(await enveloped(`${scene.invites}/x`)).toMatchObject({
    status: 404,
    content: { errorCode: "INVALID_INVITATION_ID" },
  });
  expect(await enveloped(scene.users)).toMatchObject({ status: 200, totalCount: 1, results: [{}] });
});

test("an enveloped 204 stays empty", async () => {
  await using scene = await startScene();
  const { invitationId } = scene.organization.invite("ada@example.com");

  expect(await scene.caller.v1("DELETE", `${scene.invites}/${invitationId}?envelope=true`)).toMatchObject({
    status: 204,
    text: "",
  });
});

test("rate limit headers count down across methods, apart for invitations and users", async () => {
  await using scene = await startScene();
  const { invitationId } = scene.organization.invite("ada@example.com");

  const answers = [
    await scene.caller.v2("GET", scene.invites),
    await scene.caller.v1("DELETE", `${scene.invites}/${invitationId}`),
    await scene.caller.v2("GET", scene.users),
  ];

  expect(answers.map(({ headers }) => headers.get("ratelimit-limit"))).toEqual(["500", "500", "500"]);
  expect(answers.map(({ headers }) => headers.get("ratelimit-remaining"))).toEqual(["499", "498", "499"]);
});
