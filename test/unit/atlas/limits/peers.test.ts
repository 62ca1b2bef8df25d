import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdtemp, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { Peers } from "../../../../provider/atlas/limits/peers.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

/** Peers that share a folder of the test. */
async function startScene() {
  const parent = await mkdtemp(join(tmpdir(), "peers-"));
  const folder = join(parent, "shared");
  return {
    parent,
    folder,
    peers: () => new Peers(folder),
    files: () => readdir(folder),
    [Symbol.asyncDispose]: () => rm(parent, { recursive: true }),
  };
}

test("an announcement is counted by everybody but who made it, until it is withdrawn", async () => {
  await using scene = await startScene();
  const [one, two, three] = [scene.peers(), scene.peers(), scene.peers()];
  const counts = () => [one, two, three].map((peers) => peers.others("topic"));

  expect(counts()).toEqual([0, 0, 0]);
  one.announce("topic");
  expect(counts()).toEqual([0, 1, 1]);
  two.announce("topic");
  expect(counts()).toEqual([1, 1, 2]);
  one.withdraw("topic");
  expect(counts()).toEqual([1, 0, 1]);
  two.withdraw("topic");
  expect(counts()).toEqual([0, 0, 0]);
  expect(await scene.files()).toEqual([]);
});

test("an announcement is of one topic", async () => {
  await using scene = await startScene();
  const [one, two] = [scene.peers(), scene.peers()];

  one.announce("topic");
  one.announce("another topic");
  one.withdraw("another topic");

  expect(two.others("topic")).toBe(1);
  expect(two.others("another topic")).toBe(0);
  one.withdraw("topic");
});

test("an announcement that is made twice is one, and none can be withdrawn", async () => {
  await using scene = await startScene();
  const [one, two] = [scene.peers(), scene.peers()];

  one.withdraw("topic");
  one.announce("topic");
  one.announce("topic");

  expect(two.others("topic")).toBe(1);
  one.withdraw("topic");
  one.withdraw("topic");
  expect(two.others("topic")).toBe(0);
});

test("each of those who are busy with a topic has a place of its own", async () => {
  await using scene = await startScene();
  const all = [scene.peers(), scene.peers(), scene.peers()];

  for (const peers of all) peers.announce("topic");
  all[0]?.announce("another topic");

  expect(all.map((peers) => peers.place("topic")).sort()).toEqual([0, 1, 2]);
  expect(all[0]?.place("another topic")).toBe(0);
  for (const peers of all) peers.withdraw("topic");
  expect(all[2]?.place("topic")).toBe(0);
  all[0]?.withdraw("another topic");
});

test("the folder is for its user alone, and names no topic", async () => {
  await using scene = await startScene();
  const peers = scene.peers();

  peers.announce("atlas.example.com");

  expect((await stat(scene.folder)).mode & 0o777).toBe(0o700);
  expect(await scene.files()).toEqual([expect.stringMatching(/^[0-9a-f]{16}-\d+-[0-9a-f]+$/)]);
  peers.withdraw("atlas.example.com");
});

test.each([
  ["the user", process.getuid, `pulumi-atlas-invitations-${process.getuid?.()}`],
  ["nobody, where the temporary folder is the user's", () => undefined, "pulumi-atlas-invitations-user"],
])("by default, the folder is a temporary one that is named after %s", async (_, getuid, name) => {
  await using scene = await startScene();
  vi.stubEnv("TMPDIR", scene.parent);
  vi.spyOn(process, "getuid").mockImplementation(getuid as () => number);
  const peers = new Peers();

  peers.announce("topic");

  expect(await readdir(scene.parent)).toEqual([name]);
  expect(new Peers().others("topic")).toBe(1);
  peers.withdraw("topic");
});

test("where the folder cannot be made, there are no others, and nothing fails", async () => {
  await using scene = await startScene();
  await writeFile(scene.folder, "");
  const [one, two] = [scene.peers(), scene.peers()];

  one.announce("topic");

  expect(two.others("topic")).toBe(0);
  one.withdraw("topic");
});

test("the folder of another user is not used", async () => {
  await using scene = await startScene();
  const [one, two] = [scene.peers(), scene.peers()];
  one.announce("topic");
  vi.spyOn(process, "getuid").mockReturnValue(4_711);

  two.announce("topic");

  expect(two.others("topic")).toBe(0);
  expect(await scene.files()).toHaveLength(1);
  one.withdraw("topic");
});

test("all announcements of a process are withdrawn when it exits", async () => {
  await using scene = await startScene();
  const all = [scene.peers(), scene.peers()];
  for (const peers of all) peers.announce("topic");
  const [withdrawAll] = process.listeners("exit").filter(({ name }) => name === "withdrawAll");

  withdrawAll?.(0);

  expect(await scene.files()).toEqual([]);
  for (const peers of all) peers.withdraw("topic");
});

test("an announcement that is older than a day is removed, as another process may have its pid", async () => {
  await using scene = await startScene();
  const [one, two] = [scene.peers(), scene.peers()];
  one.announce("topic");
  const [file = ""] = await scene.files();
  const yesterday = Date.now() / 1000 - 25 * 3_600;
  await utimes(join(scene.folder, file), yesterday, yesterday);

  expect(two.others("topic")).toBe(0);

  expect(await scene.files()).toEqual([]);
  one.withdraw("topic");
});

test("the first announcement of a process removes what others left of any topic", async () => {
  await using scene = await startScene();
  const [one, two] = [scene.peers(), scene.peers()];
  one.announce("topic");
  const [file = ""] = await scene.files();
  one.withdraw("topic");
  // No system has a process of this number.
  await writeFile(join(scene.folder, file.replace(/-\d+-/, "-999999999-")), "");

  two.announce("another topic");

  expect(await scene.files()).toHaveLength(1);
  two.withdraw("another topic");
});

/** Starts a process that announces the topic, and exits when its input ends. */
async function startProcess({ parent, folder }: { parent: string; folder: string }): Promise<ChildProcess> {
  await copyFile(
    join(import.meta.dirname, "../../../../provider/atlas/limits/peers.ts"),
    join(parent, "peers.ts"),
  );
  await writeFile(join(parent, "package.json"), '{"type":"module"}');
  const program = `
    import { Peers } from "./peers.ts";
    new Peers(${JSON.stringify(folder)}).announce("topic");
    console.log("announced");
    process.stdin.on("end", () => process.exit()).resume();`;
  await writeFile(join(parent, "program.ts"), program);
  const child = spawn(process.execPath, [join(parent, "program.ts")], { stdio: ["pipe", "pipe", "inherit"] });
  await once(child.stdout, "data");
  return child;
}

test("the announcements of other processes end when they exit or are killed", async () => {
  await using scene = await startScene();
  const [one, two] = [await startProcess(scene), await startProcess(scene)];
  const peers = scene.peers();
  expect(peers.others("topic")).toBe(2);

  one.kill("SIGKILL");
  await once(one, "exit");
  expect(await scene.files()).toHaveLength(2);
  expect(peers.others("topic")).toBe(1);
  expect(await scene.files()).toHaveLength(1);

  two.stdin?.end();
  await once(two, "exit");
  expect(await scene.files()).toEqual([]);
  expect(peers.others("topic")).toBe(0);
});
