import { expect, test } from "vitest";
import { configurationSource, environmentSource } from "../../../provider/settings/settings-source.ts";

test("a setting has the full name under which it was read", () => {
  const values: Record<string, string> = { NAME: "one", "space:name": "two" };
  const configuration = configurationSource("the test", "space:", (name) => values[name]);

  expect(environmentSource(values).read("NAME")).toEqual({ name: "NAME", value: "one" });
  expect(configuration.read("name")).toEqual({ name: "space:name", value: "two" });
  expect(configuration.read("NAME")).toBeUndefined();
  expect(configuration.nameOf("name")).toBe("space:name");
});

test.each([
  ["", undefined],
  [" ", undefined],
  ["\t\r\n", undefined],
  [undefined, undefined],
  [null, undefined],
  [" a b\r\n", "a b"],
  // Pulumi passes the arguments of a provider with the types that they have in the program.
  [true, "true"],
  [false, "false"],
  [0, "0"],
])("the value %j is read as %j", (value, expected) => {
  const configuration = configurationSource("the test", "", () => value);

  expect(configuration.read("name")?.value).toBe(expected);
});
