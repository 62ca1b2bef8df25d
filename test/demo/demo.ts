import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { EngineUnavailableError } from "../support/pulumi-cli/engine-unavailable-error.ts";
import { type Engine, provideEngine } from "../support/pulumi-cli/provide-engine.ts";
import { Workspace } from "../support/pulumi-cli/workspace.ts";
import { SimulatedAtlas } from "../support/simulated-atlas/simulated-atlas.ts";
import { Ending } from "./cleanup.ts";
import { CliStage } from "./cli-runner.ts";
import { Scene } from "./demo-context.ts";
import { instructions, watch } from "./keep-mode.ts";
import { PluginHostStage } from "./plugin-host-runner.ts";
import { Narrator } from "./printer.ts";
import { BEGINNING, REST } from "./scenario.ts";

const USAGE = `npm run demo                    the whole story
npm run demo -- --keep          its beginning; then the server and the stack stay, to go on by hand
npm run demo -- --plugin-host   the whole story without the CLI, as where no engine can be had`;

const REPOSITORY = dirname(dirname(import.meta.dirname));
const narrator = new Narrator();
const ending = new Ending();

async function main({ keep, withoutCli }: { keep: boolean; withoutCli: boolean }): Promise<void> {
  const engine = withoutCli ? undefined : await findEngine(keep);
  const started = Date.now();
  const atlas = await ending.owns(SimulatedAtlas.start(), (atlas) => atlas.stop());
  const organization = atlas.addOrganization();
  const { publicKey, privateKey } = atlas.addApiKey({ organization });
  const env = {
    MONGODB_ATLAS_BASE_URL: atlas.url,
    MONGODB_ATLAS_PUBLIC_KEY: publicKey,
    MONGODB_ATLAS_PRIVATE_KEY: privateKey,
  };
  narrator.title(
    `pulumi-atlas-invitations, on ${engine ? `Pulumi ${engine.version} (${engine.source})` : "Pulumi's plugin host"} and a simulated Atlas at ${atlas.url}`,
  );
  narrator.note(engine ? ABOUT_CLI : ABOUT_PLUGIN_HOST);
  narrator.note("Of the requests that Atlas sees, ids and the query of lists are shortened.");

  const workspace = engine && (await newWorkspace(engine, env));
  const stage = workspace ? new CliStage(workspace, narrator) : new PluginHostStage(env, narrator);
  await ending.owns(Promise.resolve(stage), (stage) => stage.stop());
  const scene = new Scene(narrator, stage, atlas, organization);

  for (const chapter of keep ? BEGINNING : [...BEGINNING, ...REST]) {
    narrator.chapter(chapter.title, chapter.text);
    await chapter.play(scene);
  }
  if (keep && workspace) {
    narrator.note("\nThe server and the stack stay until you press Ctrl-C. To go on, in another terminal:\n");
    for (const line of instructions(workspace)) narrator.line(line);
    narrator.note("\nWhat Atlas sees from here on:");
    return watch(atlas, narrator);
  }
  const seconds = Math.round((Date.now() - started) / 1000);
  narrator.title(
    `\nAll ${narrator.chapters} chapters ended as told, ${narrator.checks} claims verified: ${scene.commands} commands, ${scene.requests} requests, ${scene.mails} e-mails, in ${seconds} s.`,
  );
}

const ABOUT_CLI =
  "Below each command is what it printed, without rows of progress. Options and settings that keep it apart from your own Pulumi are not shown.";
const ABOUT_PLUGIN_HOST =
  "In place of each command are the calls that it makes to the provider, and the provider's answers.";

/** `undefined` where there is none, which is told. */
async function findEngine(needed: boolean): Promise<Engine | undefined> {
  try {
    return await provideEngine({ log: (line) => narrator.note(line) });
  } catch (error) {
    if (needed || !(error instanceof EngineUnavailableError)) throw error;
    narrator.note(`${error.message} Until then, the story is played without the CLI.\n`);
    return undefined;
  }
}

async function newWorkspace(engine: Engine, env: NodeJS.ProcessEnv): Promise<Workspace> {
  const home = await ending.owns(mkdtemp(join(tmpdir(), "pulumi-atlas-demo-")), (home) =>
    // What was killed a moment ago may still write.
    rm(home, { recursive: true, force: true, maxRetries: 5 }),
  );
  const making = Workspace.create(engine, {
    folder: REPOSITORY,
    home,
    // The types of the example are checked with all others, by npm test.
    env: { ...env, PULUMI_NODEJS_TRANSPILE_ONLY: "true" },
  });
  return ending.owns(making, (workspace) => workspace.dispose());
}

function options(): { keep: boolean; withoutCli: boolean } {
  try {
    const { values } = parseArgs({
      options: { keep: { type: "boolean" }, "plugin-host": { type: "boolean" } },
    });
    const { keep = false, "plugin-host": withoutCli = false } = values;
    if (keep && withoutCli) throw new Error("There is nothing to keep without the CLI.");
    return { keep, withoutCli };
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    process.exit(2);
  }
}

const chosen = options();
const interrupted = ending.wanted.then(() => {
  narrator.close();
  // Ctrl-C is how that one ends.
  return chosen.keep ? 0 : 130;
});
try {
  await ending.exit(await Promise.race([interrupted, main(chosen).then(() => 0)]));
} catch (error) {
  narrator.failure((error as Error).message);
  await ending.exit(1);
}
