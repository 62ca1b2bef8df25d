import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { startScene } from "./caller.ts";

/** Asks a simulator from another Node, and resolves to the status or the reason of the failure. */
async function ask(url: string, env: Record<string, string> = {}): Promise<string> {
  const program =
    "fetch(process.argv[1]).then(({ status }) => status, ({ cause }) => cause.code).then(console.log)";
  const { stdout } = await promisify(execFile)(process.execPath, ["-e", program, url], { env });
  return stdout.trim();
}

test("a simulator serves https to who trusts its certificate, and to nobody else", async () => {
  await using scene = await startScene({ tls: true });
  const { url, caPath } = scene.atlas;
  expect(url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);

  expect(await ask(url, { NODE_EXTRA_CA_CERTS: caPath })).toBe("401");
  expect(await ask(url.replace("127.0.0.1", "localhost"), { NODE_EXTRA_CA_CERTS: caPath })).toBe("401");
  expect(await ask(url)).toBe("DEPTH_ZERO_SELF_SIGNED_CERT");

  expect(scene.atlas.log()).toEqual(["GET / 401 challenge", "GET / 401 challenge"]);
});

test("each certificate is another one, and nothing of it stays", async () => {
  await using first = await startScene({ tls: true });
  await using second = await startScene({ tls: true });
  const { caPath } = first.atlas;

  expect(await ask(first.atlas.url, { NODE_EXTRA_CA_CERTS: second.atlas.caPath })).not.toBe("401");
  expect(await readdir(dirname(caPath))).toEqual(["ca.pem"]);
  await first.atlas.stop();
  await expect(readdir(dirname(caPath))).rejects.toThrow("ENOENT");
});

test("without TLS there is nothing to trust", async () => {
  await using scene = await startScene();

  expect(() => scene.atlas.caPath).toThrow("started without TLS");
});
