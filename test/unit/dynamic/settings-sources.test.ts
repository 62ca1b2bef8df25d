import { describe, expect, test } from "vitest";
import { settingsSources } from "../../../provider/dynamic/settings-sources.ts";

const environment = ["environment", "the environment"];

describe.each([
  ["the stack configuration", {}, [environment, ["configuration", "the stack configuration"]]],
  [
    "the arguments of an AtlasProvider",
    { "mongodbatlas:explicitProvider": "true" },
    [["configuration", "the arguments of the AtlasProvider"], environment],
  ],
])("with %s", (_, configuration: Record<string, unknown>, order) => {
  const sources = settingsSources(
    { NAME: "one" },
    (name) => ({ "mongodbatlas:name": "two", ...configuration })[name],
  );

  test("the sources are read in this order", () => {
    expect(sources.map(({ kind, place }) => [kind, place])).toEqual(order);
  });

  test("each source has its own names and values", () => {
    const read = (kind: string, key: string) => sources.find((source) => source.kind === kind)?.read(key);
    expect(read("environment", "NAME")).toEqual({ name: "NAME", value: "one" });
    expect(read("environment", "name")).toBeUndefined();
    expect(read("configuration", "name")).toEqual({ name: "mongodbatlas:name", value: "two" });
    expect(read("configuration", "NAME")).toBeUndefined();
  });
});
