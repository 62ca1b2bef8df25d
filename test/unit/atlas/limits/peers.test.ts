import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { copyFile, mkdtemp, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { Peers } from "../../../../provider/atlas/limits/peers.ts";

afterEach(() => {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
  vi.unstubAllEnvs();
});

/** Three instances that share a folder. */
async function peersFixture() {
  const parent = await mkdtemp(join(tmpdir(), "peers-"));
  const folder = join(parent, "shared");
  const all = [new Peers(folder), new Peers(folder), new Peers(folder)] as const;
  return {
    parent,
    folder,
    all,
    others: (topic = "topic") => all.map((peers) => peers.others(topic)),
    files: () => readdir(folder),
    [Symbol.asyncDispose]: async () => {
      for (const peers of all) for (const topic of ["topic", "another topic"]) peers.withdraw(topic);
      await rm(parent, { recursive: true });
    },
  };
}

test("an announcement is counted by the other instances, once, until it is withdrawn", async () => {
  await using fixture = await peersFixture();
  const [one, two] = fixture.all;

  one.withdraw("topic");
  expect(fixture.others()).toEqual([0, 0, 0]);
  one.announce("topic");
  one.announce("topic");
  expect(fixture.others()).toEqual([0, 1, 1]);
  two.announce("topic");
  two.announce("another topic");
  expect(fixture.others()).toEqual([1, 1, 2]);
  expect(fixture.others("another topic")).toEqual([1, 0, 1]);
  one.withdraw("topic");
  one.withdraw("topic");
  expect(fixture.others()).toEqual([1, 0, 1]);
});

test("each instance that is busy with a topic has a position of its own", async () => {
  await using fixture = await peersFixture();

  for (const peers of fixture.all) peers.announce("topic");

  expect(fixture.all.map((peers) => peers.place("topic")).sort()).toEqual([0, 1, 2]);
  expect(fixture.all[0].place("another topic")).toBe(0);
});

test.each([
  ["with user ids", process.getuid, `pulumi-atlas-invitations-${process.getuid?.()}`],
  ["without user ids", () => undefined, "pulumi-atlas-invitations-user"],
])("the default folder is one for each user, in the temporary folder: %s", async (_, getuid, name) => {
  await using fixture = await peersFixture();
  vi.stubEnv("TMPDIR", fixture.parent);
  vi.spyOn(process, "getuid").mockImplementation(getuid as () => number);
  const peers = new Peers();

  peers.announce("topic");

  expect(await readdir(fixture.parent)).toEqual([name]);
  const folder = join(fixture.parent, name);
  // For its user alone, and without the topic in clear text.
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
  expect(await readdir(folder)).toEqual([expect.stringMatching(/^[0-9a-f]{16}-\d+-[0-9a-f]+$/)]);
  expect(new Peers().others("topic")).toBe(1);
  peers.withdraw("topic");
});

test("there are no others where the folder cannot be created", async () => {
  await using fixture = await peersFixture();
  await writeFile(fixture.folder, "");

  fixture.all[0].announce("topic");

  expect(fixture.others()).toEqual([0, 0, 0]);
});

test("the folder of another user is not used", async () => {
  await using fixture = await peersFixture();
  const [one, two] = fixture.all;
  one.announce("topic");
  vi.spyOn(process, "getuid").mockReturnValue(4_711);

  two.announce("topic");

  expect(two.others("topic")).toBe(0);
  expect(await fixture.files()).toHaveLength(1);
});

test("an instance listens to the exit of the process only while it announces, and withdraws everything then", async () => {
  await using fixture = await peersFixture();
  const [one, two] = fixture.all;
  const before = process.listeners("exit");
  const added = () => process.listeners("exit").filter((listener) => !before.includes(listener));

  one.announce("topic");
  one.announce("another topic");
  two.announce("topic");
  expect(added()).toHaveLength(2);
  one.withdraw("topic");
  two.withdraw("topic");
  expect(added()).toHaveLength(1);
  one.withdraw("another topic");
  expect(added()).toEqual([]);

  for (const topic of ["topic", "another topic"]) one.announce(topic);
  for (const listener of added()) listener(0);
  expect(await fixture.files()).toEqual([]);
});

test("an announcement that cannot be written adds no exit listener", async () => {
  await using fixture = await peersFixture();
  const count = process.listenerCount("exit");
  vi.spyOn(fs, "writeFileSync").mockImplementation(() => {
    throw new Error("ENOSPC");
  });
  syncBuiltinESMExports();

  fixture.all[0].announce("topic");

  expect(fs.writeFileSync).toHaveBeenCalled();
  expect(process.listenerCount("exit")).toBe(count);
});

test("an announcement that is older than a day is removed, as another process may have its id", async () => {
  await using fixture = await peersFixture();
  fixture.all[0].announce("topic");
  const [file = ""] = await fixture.files();
  const yesterday = Date.now() / 1000 - 25 * 3_600;
  await utimes(join(fixture.folder, file), yesterday, yesterday);

  expect(fixture.all[1].others("topic")).toBe(0);

  expect(await fixture.files()).toEqual([]);
});

test("the first announcement removes the files of processes that were killed, whatever their topic", async () => {
  await using fixture = await peersFixture();
  const [one, two] = fixture.all;
  one.announce("topic");
  const [file = ""] = await fixture.files();
  one.withdraw("topic");
  // No system has a process of this number.
  await writeFile(join(fixture.folder, file.replace(/-\d+-/, "-999999999-")), "");

  two.announce("another topic");

  expect(await fixture.files()).toHaveLength(1);
});

/** Starts a process that announces the topic, and exits when its input ends. */
async function announcingProcess(parent: string, folder: string): Promise<ChildProcess> {
  const source = join(import.meta.dirname, "../../../../provider/atlas/limits/peers.ts");
  await copyFile(source, join(parent, "peers.ts"));
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

test("the announcement of another process ends when the process exits or is killed", async () => {
  await using fixture = await peersFixture();
  const start = () => announcingProcess(fixture.parent, fixture.folder);
  const [killed, exiting] = [await start(), await start()];
  const [peers] = fixture.all;
  expect(peers.others("topic")).toBe(2);

  killed.kill("SIGKILL");
  await once(killed, "exit");
  expect(await fixture.files()).toHaveLength(2);
  expect(peers.others("topic")).toBe(1);
  expect(await fixture.files()).toHaveLength(1);

  exiting.stdin?.end();
  await once(exiting, "exit");
  expect(await fixture.files()).toEqual([]);
});
