import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { NPM } from "./npm.ts";
import { copyRepository } from "./repository-copy.ts";

/*
 * Runs the tests on another Node.js, another Pulumi SDK or both, in a copy of the repository:
 * npm run test:versions -- --node 20.19 --sdk 3.216.0 --tier unit --tier host
 * Tests that cannot run on a version skip themselves.
 */
const { values: options } = parseArgs({
  options: {
    node: { type: "string" },
    sdk: { type: "string" },
    tier: { type: "string", multiple: true, default: ["unit", "host"] },
    keep: { type: "boolean", default: false },
  },
});

/** The oldest Node.js that the Vitest of package.json supports. Its forerunner runs the same tests. */
const VITEST = { needs: "22.12.0", older: ["vitest@4", "@vitest/coverage-v8@4"] };

const QUIETLY = ["--no-audit", "--no-fund", "--loglevel=error"];

const copy = await copyRepository();
try {
  await run([...NPM, "ci", ...QUIETLY]);
  const { node: nodeVersion, sdk } = options;
  const others = [
    ...(nodeVersion ? [`node@${nodeVersion}`] : []),
    ...(nodeVersion && isOlder(nodeVersion, VITEST.needs) ? VITEST.older : []),
    ...(sdk ? [`@pulumi/pulumi@${sdk}`] : []),
  ];
  // By force, as older SDKs do not know the TypeScript that this repository is written in. They only need the
  // JavaScript that it builds.
  if (others.length > 0) await run([...NPM, "install", "--no-save", "--force", ...QUIETLY, ...others]);

  const versions: Record<string, string> = {};
  for (const name of ["node", "@pulumi/pulumi", "vitest"]) versions[name] = (await manifest(name)).version;
  console.log(versions);

  const node = join(copy, "node_modules", "node", (await manifest("node")).bin.node);
  const vitest = join(copy, "node_modules", "vitest", "vitest.mjs");
  const tiers = options.tier.flatMap((tier) => ["--project", tier]);
  await run([node, vitest, "run", ...tiers]);
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
} finally {
  if (options.keep) console.log(`The copy stays in ${copy}.`);
  else await rm(copy, { recursive: true, force: true });
}

async function manifest(name: string) {
  return JSON.parse(await readFile(join(copy, "node_modules", name, "package.json"), "utf8"));
}

/** @throws Error where the command fails, after what it printed */
async function run([command = "", ...args]: readonly string[]): Promise<void> {
  const child = spawn(command, args, { cwd: copy, stdio: "inherit" });
  const [exitCode] = await once(child, "exit");
  if (exitCode !== 0) throw new Error(`${[command, ...args].join(" ")} ended with ${exitCode}.`);
}

/** A version that is not written in full, such as 22, is the newest of its kind. */
function isOlder(version: string, than: string): boolean {
  const parts = version.split(".").length;
  return version.localeCompare(than.split(".").slice(0, parts).join("."), "en", { numeric: true }) < 0;
}
