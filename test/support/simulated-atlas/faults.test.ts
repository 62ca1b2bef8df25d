import { request } from "node:http";
import { expect, test, vi } from "vitest";
import { startScene } from "./caller.ts";

const html = "<html>Bad gateway</html>";
const create = { username: "ada@example.com", roles: ["ORG_MEMBER"] };

/** A promise that a test resolves. */
function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

test("any answer can take the place of Atlas's own, once", async () => {
  await using scene = await startScene();
  const { invitationId } = scene.organization.invite("ada@example.com");
  scene.atlas.fail({ status: 503, body: html, headers: { "Content-Type": "text/html", "Retry-After": "7" } });

  const failed = await scene.caller.v1("DELETE", `${scene.invites}/${invitationId}`);
  expect(failed).toMatchObject({ status: 503, text: html });
  expect(failed.headers.get("content-type")).toBe("text/html");
  expect(failed.headers.get("retry-after")).toBe("7");
  expect(scene.organization.invitations).toHaveLength(1);

  expect((await scene.caller.v1("DELETE", `${scene.invites}/${invitationId}`)).status).toBe(204);
});

test("an answer is sent as JSON or as it is, and may be empty", async () => {
  await using scene = await startScene();
  scene.atlas.fail({ status: 500, body: { errorCode: null, parameters: [1, "a"] } });
  scene.atlas.fail({ status: 200, body: '[{"id":' });
  scene.atlas.fail({ status: 401 });

  expect((await scene.caller.v1("GET", scene.invites)).body).toEqual({
    errorCode: null,
    parameters: [1, "a"],
  });
  expect((await scene.caller.v1("GET", scene.invites)).text).toBe('[{"id":');
  expect(await scene.caller.v1("GET", scene.invites)).toMatchObject({ status: 401, text: "" });
});

test("an answer can replace Atlas's own after the work was done", async () => {
  await using scene = await startScene();
  scene.atlas.fail({ status: 504, when: "after" });

  expect((await scene.caller.v1("POST", scene.invites, create)).status).toBe(504);
  expect(scene.organization.invitations).toHaveLength(1);
  expect(scene.atlas.mails).toHaveLength(1);
});

test.each([
  ["before", 0],
  ["after", 1],
] as const)("a connection is cut %s the work", async (cut, mails) => {
  await using scene = await startScene();
  scene.atlas.fail({ cut });

  await expect(scene.caller.v1("POST", scene.invites, create)).rejects.toThrow("fetch failed");

  expect(scene.atlas.mails).toHaveLength(mails);
  expect(scene.atlas.requests.at(-1)).toMatchObject({ authenticated: true, fault: "cut" });
});

test("an answer is held, before the work or after it", async () => {
  await using scene = await startScene();

  for (const when of ["before", "after"] as const) {
    const release = gate();
    const { struck } = scene.atlas.fail({ method: "POST", until: release.opened, when });
    let answered = false;
    const answer = scene.caller
      .v1("POST", scene.invites, { ...create, username: `${when}@example.com` })
      .then(({ status }) => {
        answered = true;
        return status;
      });
    await struck;
    // A whole other request is answered meanwhile.
    await scene.caller.v1("GET", scene.invites);

    expect(scene.organization.find(`${when}@example.com`) !== undefined).toBe(when === "after");
    expect(answered).toBe(false);
    expect(scene.atlas.log().filter((line) => line.endsWith(" …"))).toHaveLength(1);
    release.open();
    expect(await answer).toBe(200);
  }
});

test("people act while an answer is held", async () => {
  await using scene = await startScene();
  const { invitationId } = scene.organization.invite("ada@example.com");
  const release = gate();
  const { struck } = scene.atlas.fail({ method: "DELETE", until: release.opened });

  const answer = scene.caller.v1("DELETE", `${scene.invites}/${invitationId}`);
  await struck;
  scene.organization.accept("ada@example.com");
  release.open();

  expect((await answer).body.errorCode).toBe("INVALID_INVITATION_ID");
  expect(scene.organization.find("ada@example.com")?.status).toBe("ACTIVE");
});

test.each([
  ["before", 0],
  ["after", 1],
] as const)("an answer never comes, %s the work, until the simulator stops", async (hang, mails) => {
  await using scene = await startScene();
  const { struck } = scene.atlas.fail({ hang });

  const failed = expect(scene.caller.v1("POST", scene.invites, create)).rejects.toThrow("fetch failed");
  await struck;
  await scene.caller.v1("GET", scene.invites);

  expect(scene.atlas.mails).toHaveLength(mails);
  expect(scene.atlas.log()).toContain(`POST /api/atlas/v1.0${scene.invites} hang`);
  await scene.atlas.stop();
  await failed;
});

test.each([
  ["cut", { cut: "during" }],
  ["hang", { hang: "during" }],
  ["504", { status: 504, when: "during" }],
] as const)("Atlas is still at work after a fault during it (%s)", async (outcome, fault) => {
  await using scene = await startScene();
  const release = gate();
  const { struck } = scene.atlas.fail({ method: "POST", ...fault, until: release.opened });

  const outcomeSeen = scene.caller.v1("POST", scene.invites, create).then(
    ({ status }) => status,
    () => "no answer",
  );
  await struck;
  if (outcome !== "hang") expect(await outcomeSeen).toBe(outcome === "504" ? 504 : "no answer");
  // A whole other request finds that nothing is done yet.
  expect((await scene.caller.v1("GET", scene.invites)).body).toEqual([]);
  expect(scene.atlas.log()).toContain(`POST /api/atlas/v1.0${scene.invites} ${outcome}`);
  release.open();

  expect((await scene.caller.v1("GET", scene.invites)).body).toMatchObject([{ username: "ada@example.com" }]);
  expect(scene.atlas.mails).toHaveLength(1);
  if (outcome === "hang") {
    await scene.atlas.stop();
    expect(await outcomeSeen).toBe("no answer");
  }
});

test("Atlas finishes its work after some time, although the client is gone", async () => {
  await using scene = await startScene();
  scene.atlas.fail({ cut: "during", afterMs: 1 });

  await expect(scene.caller.v1("POST", scene.invites, create)).rejects.toThrow("fetch failed");

  await vi.waitFor(() => expect(scene.atlas.mails).toHaveLength(1));
});

test("what happens while Atlas is at work decides what the work does", async () => {
  await using scene = await startScene();
  const { invitationId } = scene.organization.invite("ada@example.com");
  const release = gate();
  scene.atlas.fail({ status: 502, when: "during", until: release.opened });

  await scene.caller.v1("DELETE", `${scene.invites}/${invitationId}`);
  scene.organization.accept("ada@example.com");
  release.open();
  await scene.caller.v1("GET", scene.invites);

  expect(scene.organization.find("ada@example.com")?.status).toBe("ACTIVE");
});

test("a simulator that stops drops the work that is left, and does not wait for it", async () => {
  await using scene = await startScene();
  const release = gate();
  scene.atlas.fail({ status: 502, when: "during", until: release.opened });
  scene.atlas.fail({ status: 502, when: "during", afterMs: 60_000 });
  for (let i = 0; i < 2; i++) await scene.caller.v1("POST", scene.invites, create);

  await scene.atlas.stop();
  release.open();
  await release.opened;

  expect(scene.atlas.mails).toEqual([]);
});

/** Reads an answer byte by byte, as far as it comes. */
function readRaw(url: string): Promise<{ announced: number; text: string; whole: boolean }> {
  return new Promise((resolve, reject) => {
    request(url, (response) => {
      let text = "";
      const announced = Number(response.headers["content-length"]);
      response.setEncoding("utf8");
      response.on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () => resolve({ announced, text, whole: true }));
      response.on("error", () => resolve({ announced, text, whole: false }));
    })
      .on("error", reject)
      .end();
  });
}

test("a body breaks off in its middle", async () => {
  await using scene = await startScene();
  const url = `${scene.atlas.url}/api/atlas/v1.0${scene.invites}`;
  const whole = await readRaw(url);
  scene.atlas.fail({ authenticated: false, damage: "half body" });

  const { announced, text } = await readRaw(url);

  expect(whole).toMatchObject({ announced: whole.text.length, whole: true });
  expect([announced, text]).toEqual([
    whole.text.length,
    whole.text.slice(0, Math.floor(whole.text.length / 2)),
  ]);
  expect(scene.atlas.log().at(-1)).toMatch(/ 401 challenge half body$/);
});

test("a length ends the body too early", async () => {
  await using scene = await startScene();
  scene.organization.invite("ada@example.com");
  scene.atlas.fail({ damage: "short length" });

  const { status, text, body } = await scene.caller.v1("GET", scene.invites);

  expect(status).toBe(200);
  expect(text).toMatch(/^\[\{"createdAt"/);
  expect(body).toBeUndefined();
});

test("a length waits for more than there is", async () => {
  await using scene = await startScene();
  const url = `${scene.atlas.url}/api/atlas/v1.0${scene.invites}`;
  const { text } = await readRaw(url);
  const { struck } = scene.atlas.fail({ authenticated: false, damage: "long length" });

  const read = readRaw(url);
  await struck;
  // Both requests are answered in order, so the damaged answer is out when this one is.
  await scene.caller.plain("GET", `/api/atlas/v1.0${scene.invites}`);
  await scene.atlas.stop();

  expect(await read).toEqual({ announced: text.length + 1, text, whole: false });
});

test("a fault strikes what it matches, as often as told", async () => {
  await using scene = await startScene();
  scene.organization.invite("ada@example.com");
  scene.atlas.fail({ method: "GET", path: /\/users\?.*username=/, times: 2, status: 500 });
  scene.atlas.fail({ method: "DELETE", times: Number.POSITIVE_INFINITY, status: 501 });
  const read = async (path: string) => (await scene.caller.v2("GET", path)).status;

  expect(await read(scene.invites)).toBe(200);
  expect(await read(scene.users)).toBe(200);
  expect(await read(`${scene.users}?username=a`)).toBe(500);
  expect(await read(`${scene.users}?username=a`)).toBe(500);
  expect(await read(`${scene.users}?username=a`)).toBe(200);
});

test("faults strike in the order in which they were told, until they are lifted", async () => {
  await using scene = await startScene();
  scene.atlas.fail({ status: 502 });
  const broken = scene.atlas.fail({ status: 500, times: Number.POSITIVE_INFINITY });
  const read = async () => (await scene.caller.v1("GET", scene.invites)).status;

  expect([await read(), await read(), await read()]).toEqual([502, 500, 500]);
  broken.lift();
  expect(await read()).toBe(200);
});

test("a fault strikes verified requests, the others, or either", async () => {
  await using scene = await startScene();
  const path = `/api/atlas/v1.0${scene.invites}`;

  scene.atlas.fail({ status: 500 });
  expect((await scene.caller.plain("GET", path)).status).toBe(401);
  expect((await scene.caller.v1("GET", scene.invites)).status).toBe(500);

  scene.atlas.fail({ status: 501, authenticated: false });
  expect((await scene.caller.plain("GET", path)).status).toBe(501);

  scene.atlas.fail({ status: 502, authenticated: "either" });
  expect((await scene.caller.plain("GET", path)).status).toBe(502);
});

test("a redirect leads to another origin", async () => {
  await using scene = await startScene();
  await using other = await startScene();
  const path = `/api/atlas/v1.0${scene.invites}`;
  const redirect = { status: 307, headers: { Location: other.atlas.url + path } };
  scene.atlas.fail({ authenticated: "either", ...redirect });

  const followed = await scene.caller.plain("GET", path, { headers: { Authorization: "Bearer x" } });

  expect(followed.status).toBe(401);
  expect(scene.atlas.log()).toEqual([`GET ${path} 307`]);
  expect(other.atlas.log()).toEqual([`GET ${path} 401 challenge`]);
});
