import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import * as pulumi from "@pulumi/pulumi";
import ts from "typescript";

/**
 * What a program declares: the inputs of each custom resource, by name in alphabetical order. It is run in this process, as the SDK
 * offers for unit tests of programs.
 * @param file the program
 * @param project the project's name, in which the configuration's keys are
 */
export async function declaredResources(
  file: string,
  project: string,
  config: Record<string, string>,
): Promise<Map<string, Record<string, unknown>>> {
  const declared = new Map<string, Record<string, unknown>>();
  const mocks: pulumi.runtime.Mocks = {
    newResource({ name, custom, inputs }) {
      if (custom) declared.set(name, inputs);
      return { id: "", state: inputs };
    },
    call: () => ({}),
  };
  await pulumi.runtime.setMocks(mocks, project);
  pulumi.runtime.setAllConfig(
    Object.fromEntries(Object.entries(config).map(([key, value]) => [`${project}:${key}`, value])),
  );
  const { outputText } = ts.transpileModule(await readFile(file, "utf8"), {
    compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 },
  });
  const run = new Function("require", "exports", outputText);
  let failure: unknown;
  await pulumi.runtime.runInPulumiStack(async () => {
    try {
      run(createRequire(file), {});
    } catch (error) {
      // Thrown on, it would end this process.
      failure = error;
    }
  });
  // Resources are still being registered when the program has ended.
  await pulumi.runtime.disconnect();
  if (failure) throw failure;
  return new Map([...declared].sort());
}
