import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ABANDONED_AFTER_MS, inBuildingFolder } from "./build-lock.ts";

let folder: string;
let building: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "building-folder-test-"));
  building = join(folder, "building");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const wait = () => {};

it("lets one work at a time", async () => {
  const steps: string[] = [];
  const work = (name: string) => async () => {
    steps.push(`${name} starts`);
    await sleep(20);
    steps.push(`${name} ends`);
  };
  await Promise.all(["a", "b", "c"].map((name) => inBuildingFolder(building, work(name), wait, 5)));
  for (let index = 0; index < 6; index += 2) {
    expect(steps[index + 1]).toBe(steps[index]?.replace("starts", "ends"));
  }
});

it("is free again after a failure, and empty", async () => {
  const failing = inBuildingFolder(building, async () => {
    await writeFile(join(building, "half"), "");
    throw new Error("no");
  });
  await expect(failing).rejects.toThrow("no");
  expect(await inBuildingFolder(building, () => readdir(building))).toEqual([]);
  expect(await readdir(folder)).toEqual([]);
});

it("takes over what a run that died left behind", async () => {
  await mkdir(building);
  await writeFile(join(building, "half"), "");
  const past = new Date(Date.now() - ABANDONED_AFTER_MS - 1000);
  await utimes(building, past, past);
  expect(await inBuildingFolder(building, () => readdir(building), wait, 5)).toEqual([]);
  expect(await readdir(folder)).toEqual([]);
});

it("waits for one that lives", async () => {
  await mkdir(building);
  let waits = 0;
  await inBuildingFolder(
    building,
    async () => {},
    () => {
      waits += 1;
      if (waits === 3) void rm(building, { recursive: true });
    },
    5,
  );
  expect(waits).toBeGreaterThanOrEqual(3);
});
