import { join } from "node:path";
import { parseArgs } from "node:util";
import { provideEngine } from "../support/pulumi-cli/provide-engine.ts";
import { Workspace } from "../support/pulumi-cli/workspace.ts";
import { SimulatedAtlas } from "../support/simulated-atlas/simulated-atlas.ts";
import { ChapterRunner } from "./chapter-runner.ts";
import { CHAPTERS_BEFORE_KEEP, chapters } from "./chapters.ts";
import { printRequestsForever, shellInstructions } from "./keep-mode.ts";
import * as printer from "./printer.ts";

const USAGE = `npm run demo             all chapters
npm run demo -- --keep   the first chapters; then the server and the stack stay, for commands by hand`;

const interruption = new AbortController();
const cleanups: (() => Promise<void>)[] = [];

/** Registers the cleanup before the thing exists, because an interrupt can come while it is created. */
function owned<T>(creation: Promise<T>, cleanUp: (created: T) => Promise<void>): Promise<T> {
  cleanups.unshift(() => creation.then(cleanUp, () => {}));
  return creation;
}

async function play(keep: boolean): Promise<void> {
  const { signal } = interruption;
  const engine = await owned(provideEngine({ log: printer.note, signal }), async () => {});
  const started = Date.now();
  const atlas = await owned(SimulatedAtlas.start(), (atlas) => atlas.stop());
  const organization = atlas.addOrganization();
  const { publicKey, privateKey } = atlas.addApiKey({ organization });
  printer.title(
    `pulumi-atlas-invitations on Pulumi ${engine.version} (${engine.source}) and a simulated Atlas at ${atlas.url}`,
  );
  printer.note(
    "Each command is followed by its output, without progress, and by the requests that Atlas received, with shortened ids and queries. Options that separate the demo from your own Pulumi are hidden.",
  );
  const creation = Workspace.create(engine, {
    folder: join(import.meta.dirname, "../.."),
    env: {
      MONGODB_ATLAS_BASE_URL: atlas.url,
      MONGODB_ATLAS_PUBLIC_KEY: publicKey,
      MONGODB_ATLAS_PRIVATE_KEY: privateKey,
      // `npm test` checks the types of the example.
      PULUMI_NODEJS_TRANSPILE_ONLY: "true",
    },
  });
  const workspace = await owned(creation, (workspace) => workspace.dispose());

  const runner = new ChapterRunner(workspace, atlas);
  const played = chapters(atlas, organization).slice(0, keep ? CHAPTERS_BEFORE_KEEP : undefined);
  for (const [index, chapter] of played.entries()) await runner.play(chapter, index + 1);
  if (keep) {
    printer.note("\nThe server and the stack stay until you press Ctrl-C. In another terminal:\n");
    for (const line of shellInstructions(workspace)) printer.line(line);
    printer.note("\nThe requests that Atlas receives:");
    return printRequestsForever(atlas);
  }
  const seconds = Math.round((Date.now() - started) / 1000);
  printer.title(`\nAll ${played.length} chapters ended as described, in ${seconds} s.`);
}

function parseOptions(): { keep: boolean } {
  try {
    const { keep = false } = parseArgs({ options: { keep: { type: "boolean" } } }).values;
    return { keep };
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    process.exit(2);
  }
}

const { keep } = parseOptions();
const interrupted = new Promise<number>((resolve) => {
  // Ctrl-C is the normal end of `--keep`.
  const interrupt = () => resolve(keep ? 0 : 130);
  // On each signal, not once: npm forwards a signal that the terminal has sent already.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, interrupt);
  process.stdout.on("error", interrupt);
});
const ended = play(keep).then(
  () => 0,
  (error: Error) => {
    if (!interruption.signal.aborted) printer.failure(error.message);
    return 1;
  },
);
const exitCode = await Promise.race([interrupted, ended]);
interruption.abort();
for (const cleanUp of cleanups) await cleanUp().catch(console.error);
process.exit(exitCode);
