import { expect, test } from "vitest";
import { type Source, settingsSources } from "../../../provider/settings/settings-source.ts";

const explicit = { "mongodbatlas:explicitProvider": "true" };

function sourcesOf(environment: Record<string, string | undefined>, configuration: Record<string, unknown>) {
  return settingsSources(environment, (name) => configuration[name]);
}

const places = (sources: Source[]) => sources.map(({ kind, place }) => [kind, place]);

test("the environment is asked before the stack configuration", () => {
  expect(places(sourcesOf({}, {}))).toEqual([
    ["environment", "the environment"],
    ["configuration", "the stack configuration"],
  ]);
});

// Or several accounts in one program would all be the one of the environment.
test("what an AtlasProvider was given is asked before the environment", () => {
  expect(places(sourcesOf({}, explicit))).toEqual([
    ["configuration", "the arguments of the AtlasProvider"],
    ["environment", "the environment"],
  ]);
});

test("a value comes with its name, and from its own place only", () => {
  const [environment, configuration] = sourcesOf({ NAME: "one" }, { "mongodbatlas:name": "two" });

  expect(environment?.read("NAME")).toEqual({ name: "NAME", value: "one" });
  expect(environment?.read("mongodbatlas:name")).toBeUndefined();
  expect(configuration?.read("mongodbatlas:name")).toEqual({ name: "mongodbatlas:name", value: "two" });
  expect(configuration?.read("NAME")).toBeUndefined();
});

test.each(["", " ", "\t\r\n", undefined, null])("a value that is %j is not set", (value) => {
  const [, configuration] = sourcesOf({}, { "mongodbatlas:name": value });

  expect(configuration?.read("mongodbatlas:name")).toBeUndefined();
});

test("the blanks around a value are not of it", () => {
  const [environment] = sourcesOf({ NAME: " a b\r\n" }, {});

  expect(environment?.read("NAME")?.value).toBe("a b");
});

// Pulumi passes the arguments of a provider as what they are in the program.
test.each([
  [true, "true"],
  [false, "false"],
  [0, "0"],
])("an argument that is %j is read as %j", (value, text) => {
  const [configuration] = sourcesOf({}, { ...explicit, "mongodbatlas:debug": value });

  expect(configuration?.read("mongodbatlas:debug")?.value).toBe(text);
});
