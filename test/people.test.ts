import { expect, test } from "vitest";
import type { Person } from "../provider/invitations-api.ts";
import { People } from "../provider/people.ts";

const access = { roles: ["ORG_MEMBER"], teamIds: [], groupRoleAssignments: [] };
const person = (username: string): Person => ({ username, orgMembershipStatus: "PENDING", access });

/** Two lists that answer when told to, and a clock. */
function scene(first: string[], second: string[]) {
  const asked: string[] = [];
  const clock = { now: 0 };
  let failure: Error | undefined;
  const list = (name: string, usernames: string[]) => async (orgId: string) => {
    asked.push(`${name} of ${orgId}`);
    await Promise.resolve();
    if (failure) throw failure;
    return usernames.map(person);
  };
  const people = new People([list("first", first), list("second", second)], () => clock.now);
  return {
    people,
    clock,
    fail: (error: Error | undefined) => {
      failure = error;
    },
    /** What was asked since the last time. */
    asked: () => asked.splice(0),
  };
}

test("asks the second list only for whom the first does not show", async () => {
  const { people, asked } = scene(["ada"], ["ada", "grace"]);
  expect(await people.find("org", "ADA")).toEqual(person("ada"));
  expect(asked()).toEqual(["first of org"]);
  expect(await people.find("org", "grace")).toEqual(person("grace"));
  expect(asked()).toEqual(["second of org"]);
  expect(await people.find("org", "joan")).toBeUndefined();
  expect(asked()).toEqual([]);
});

test("shares the request that is under way", async () => {
  const { people, asked } = scene(["ada", "grace"], []);
  await Promise.all([people.find("org", "ada"), people.find("org", "grace"), people.find("org", "ada")]);
  expect(asked()).toEqual(["first of org"]);
});

test("keeps organizations apart", async () => {
  const { people, asked } = scene(["ada"], []);
  await Promise.all([people.find("one", "ada"), people.find("other", "ada")]);
  expect(asked()).toEqual(["first of one", "first of other"]);
});

test("takes a list for 30 seconds after it was asked for, and no longer", async () => {
  const { people, asked, clock } = scene(["ada"], []);
  await people.find("org", "ada");
  asked();
  clock.now = 29_999;
  await people.find("org", "ada");
  expect(asked()).toEqual([]);
  clock.now = 30_000;
  await people.find("org", "ada");
  expect(asked()).toEqual(["first of org"]);
});

test("asks anew for a person in doubt, and for nobody else", async () => {
  const { people, asked } = scene(["ada", "grace"], []);
  await people.find("org", "ada");
  people.doubt("org", "Ada");
  asked();
  await people.find("org", "grace");
  expect(asked()).toEqual([]);
  await people.find("org", "ada");
  expect(asked()).toEqual(["first of org"]);
  await people.find("org", "ada");
  expect(asked()).toEqual([]);
});

test("does not take a list that was under way when the doubt arose", async () => {
  const { people, asked } = scene(["ada"], []);
  const before = people.find("org", "ada");
  people.doubt("org", "ada");
  await Promise.all([before, people.find("org", "ada")]);
  expect(asked()).toEqual(["first of org", "first of org"]);
});

test("fails all who waited for a list that failed, and asks again for the next", async () => {
  const { people, asked, fail } = scene(["ada"], []);
  fail(new Error("no"));
  const waiting = await Promise.allSettled([people.find("org", "ada"), people.find("org", "ada")]);
  expect(waiting.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(asked()).toEqual(["first of org"]);
  fail(undefined);
  expect(await people.find("org", "ada")).toEqual(person("ada"));
  expect(asked()).toEqual(["first of org"]);
});

test("keeps a newer list when an older one fails", async () => {
  const answers = [Promise.reject<Person[]>(new Error("no")), Promise.resolve([person("ada")])];
  const people = new People([() => answers.shift() ?? Promise.reject(new Error("asked too often"))]);
  const older = people.find("org", "ada");
  people.doubt("org", "ada");
  const newer = people.find("org", "ada");
  await expect(older).rejects.toThrow("no");
  expect(await newer).toEqual(person("ada"));
  expect(await people.find("org", "ada")).toEqual(person("ada"));
});
