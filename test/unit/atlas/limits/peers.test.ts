import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { Peers } from "../../../../provider/atlas/limits/peers.ts";

afterEach(() => {
  vi.restoreAllMocks();
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
    /** The path of the file that announces the topic, which does not exist. */
    fileOf: async (peers: Peers) => {
      peers.announce("topic");
      const [file = ""] = await readdir(folder);
      peers.withdraw("topic");
      return join(folder, file);
    },
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
  one.announce("topic");
  one.announce("topic");
  expect(fixture.others()).toEqual([0, 1, 1]);
  two.announce("topic");
  two.announce("another topic");
  expect(fixture.others()).toEqual([1, 1, 2]);
  expect(fixture.others("another topic")).toEqual([1, 0, 1]);
  one.withdraw("topic");
  expect(fixture.others()).toEqual([1, 0, 1]);
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
  const [one] = fixture.all;
  const before = process.listeners("exit");
  const added = () => process.listeners("exit").filter((listener) => !before.includes(listener));

  for (const topic of ["topic", "another topic"]) one.announce(topic);
  one.withdraw("topic");
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
  await mkdir(await fixture.fileOf(fixture.all[0]));

  fixture.all[0].announce("topic");

  expect(process.listenerCount("exit")).toBe(count);
});

test("an announcement that is older than a day is removed, as another process may have its id", async () => {
  await using fixture = await peersFixture();
  const file = await fixture.fileOf(fixture.all[0]);
  await writeFile(file, "");
  expect(fixture.all[1].others("topic")).toBe(1);
  const yesterday = Date.now() / 1000 - 25 * 3_600;
  await utimes(file, yesterday, yesterday);

  expect(fixture.all[1].others("topic")).toBe(0);

  expect(await fixture.files()).toEqual([]);
});

test("the first announcement removes the files of processes that were killed, whatever their topic", async () => {
  await using fixture = await peersFixture();
  const file = await fixture.fileOf(fixture.all[0]);
  // No system has a process of this number.
  await writeFile(file.replace(/-\d+-(?=\w+$)/, "-999999999-"), "");

  fixture.all[1].announce("another topic");

  expect(await fixture.files()).toHaveLength(1);
});

// Node.js runs programs in TypeScript since 22.18.
test.skipIf(!process.features.typescript)(
  "the announcement of another process ends when the process exits or is killed",
  async () => {
    await using fixture = await peersFixture();
    const { parent, folder } = fixture;
    const [peers] = fixture.all;
    const source = join(import.meta.dirname, "../../../../provider/atlas/limits/peers.ts");
    await copyFile(source, join(parent, "peers.ts"));
    await writeFile(join(parent, "package.json"), '{"type":"module"}');
    const program = `
    import { Peers } from "./peers.ts";
    new Peers(${JSON.stringify(folder)}).announce("topic");
    console.log("announced");
    process.stdin.on("end", () => process.exit()).resume();`;
    await writeFile(join(parent, "program.ts"), program);
    const start = async () => {
      const child = spawn(process.execPath, [join(parent, "program.ts")]);
      await once(child.stdout, "data");
      return child;
    };
    const [killed, exiting] = [await start(), await start()];
    expect(peers.others("topic")).toBe(2);

    killed.kill("SIGKILL");
    await once(killed, "exit");
    expect(peers.others("topic")).toBe(1);
    expect(await fixture.files()).toHaveLength(1);

    exiting.stdin.end();
    await once(exiting, "exit");
    expect(await fixture.files()).toEqual([]);
  },
);
