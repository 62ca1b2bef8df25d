import { connect } from "node:net";
import { expect, test } from "vitest";
import { startScene } from "./caller.ts";

/** A scene whose list of invitations is read as bytes, until the connection is closed. */
async function startRaw() {
  const scene = await startScene();
  scene.organization.invite("ada@example.com");
  const token = scene.atlas.addAccessToken({ organization: scene.organization });
  const { hostname, port } = new URL(scene.atlas.url);
  const path = `/api/atlas/v2${scene.invites}`;
  const read = (onText = (_: string) => {}) =>
    new Promise<string>((resolve) => {
      let text = "";
      const socket = connect(Number(port), hostname);
      const headers = `Host: x\r\nConnection: close\r\nAuthorization: Bearer ${token}`;
      socket.write(
        `GET ${path} HTTP/1.1\r\n${headers}\r\nAccept: application/vnd.atlas.2023-01-01+json\r\n\r\n`,
      );
      socket.on("data", (data) => {
        text += data;
        onText(text);
      });
      socket.on("close", () => resolve(text));
    });
  const whole = bodyOf(await read());
  scene.atlas.forget();
  return { ...scene, path, read, whole };
}

const bodyOf = (text: string) => text.slice(text.indexOf("\r\n\r\n") + 4);

test.each([
  ["head alone", 0],
  ["half body", 0.5],
  ["all but a byte", -1],
] as const)("an answer is cut after its %s", async (damage, end) => {
  await using scene = await startRaw();
  scene.atlas.fail({ damage });

  const text = await scene.read();

  const { whole } = scene;
  expect(text).toContain(`\r\nContent-Length: ${whole.length}\r\n`);
  expect(bodyOf(text)).toBe(whole.slice(0, end === 0.5 ? Math.floor(whole.length / 2) : end));
  expect(scene.atlas.log()).toEqual([`GET ${scene.path} 200 ${damage}`]);
});

test("an answer is cut in its head", async () => {
  await using scene = await startRaw();
  scene.atlas.fail({ damage: "half head" });

  expect(await scene.read()).toBe("HTTP/1.1 200 OK\r\nContent-Ty");
  expect(scene.atlas.log()).toEqual([`GET ${scene.path} 200 half head`]);
});

test("a body of unknown length is cut before its end", async () => {
  await using scene = await startRaw();
  scene.atlas.fail({ damage: "no last chunk" });

  const text = await scene.read();

  const { whole } = scene;
  expect(text).toContain("\r\nTransfer-Encoding: chunked\r\n");
  expect(bodyOf(text)).toBe(`${whole.length.toString(16)}\r\n${whole}\r\n`);
  await expect(async () => {
    scene.atlas.fail({ damage: "no last chunk" });
    await scene.caller.v2("GET", scene.invites);
  }).rejects.toThrow("terminated");
});

test("a 204 is cut in its head, after the work was done", async () => {
  await using scene = await startScene();
  const { invitationId } = scene.organization.invite("ada@example.com");
  scene.atlas.fail({ method: "DELETE", damage: "half head" });

  const deleted = scene.caller.v2("DELETE", `${scene.invites}/${invitationId}`);

  await expect(deleted).rejects.toThrow("fetch failed");
  expect(scene.organization.users).toEqual([]);
  expect(scene.atlas.log().at(-1)).toMatch(/ 204 half head$/);
});

test("a body drips byte by byte, each when the test lets it", async () => {
  await using scene = await startRaw();
  let letGo = () => {};
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const asked: number[] = [];
  const drip = (sent: number) => {
    asked.push(sent);
    return sent === 5 ? held : undefined;
  };
  scene.atlas.fail({ drip });

  let haveFive = (_: string) => {};
  const five = new Promise<string>((resolve) => {
    haveFive = resolve;
  });
  const read = scene.read((text) => {
    if (text.includes("\r\n\r\n") && bodyOf(text).length >= 5) haveFive(bodyOf(text));
  });
  expect(await five).toBe(scene.whole.slice(0, 5));
  expect(asked).toEqual([0, 1, 2, 3, 4, 5]);
  letGo();

  expect(bodyOf(await read)).toBe(scene.whole);
  expect(asked).toEqual([...scene.whole].map((_, index) => index));
  expect(scene.atlas.log()).toEqual([`GET ${scene.path} 200 drip`]);
});

test("a huge body of unknown length holds the right answer after all that space", async () => {
  await using scene = await startRaw();
  scene.atlas.fail({ huge: 1_000_000 });

  const { text, headers } = await scene.caller.v2("GET", scene.invites);

  expect(headers.get("content-length")).toBeNull();
  expect([text.length, text.trimStart()]).toEqual([1_000_000 + scene.whole.length, scene.whole]);
  expect(scene.atlas.log().at(-1)).toBe(`GET ${scene.path} 200 huge`);
});

test("a huge body ends when the client goes away", async () => {
  await using scene = await startRaw();
  const answered = new Promise<string>((resolve) => {
    scene.atlas.onRequest(({ fault }, stage) => {
      if (stage === "answered" && fault !== undefined) resolve(fault);
    });
  });
  scene.atlas.fail({ authenticated: "either", huge: 1e12 });

  const response = await fetch(scene.atlas.url);
  await response.body?.cancel();

  expect(await answered).toBe("huge");
});
