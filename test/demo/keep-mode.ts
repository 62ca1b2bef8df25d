import { setTimeout as sleep } from "node:timers/promises";
import type { Workspace } from "../support/pulumi-cli/workspace.ts";
import type { SimulatedAtlas } from "../support/simulated-atlas/simulated-atlas.ts";
import type { Narrator } from "./printer.ts";
import { requestLines } from "./request-lines.ts";

const SETTINGS = /^(PATH|PULUMI_.*|MONGODB_ATLAS_.*)$/;

/** How to go on by hand with a stack: what to put into the environment, and commands to try. */
export function instructions(workspace: Workspace): string[] {
  const settings = Object.entries({ ...workspace.env, PULUMI_OPTION_CONFIG_FILE: workspace.configFile });
  return [
    `cd ${quoted(workspace.folder)}`,
    ...settings
      .filter(([name]) => SETTINGS.test(name))
      .map(([name, value = ""]) => `export ${name}=${name === "PATH" ? pathBefore(value) : quoted(value)}`),
    "",
    "pulumi preview --refresh --diff",
    "pulumi up --refresh",
    "pulumi config set onAccepted manage",
    "pulumi destroy",
    'curl --user "$MONGODB_ATLAS_PUBLIC_KEY:$MONGODB_ATLAS_PRIVATE_KEY" --digest "$MONGODB_ATLAS_BASE_URL/api/atlas/v1.0/orgs/$(pulumi config get orgId)/invites?pretty=true"',
  ];
}

/** Shows what Atlas sees, for ever. */
export async function watch(atlas: SimulatedAtlas, narrator: Narrator): Promise<never> {
  for (;;) {
    atlas.forget();
    // Requests are logged before they are answered, and shown once they are.
    while (atlas.requests.length === 0 || atlas.requests.some(({ status }) => status === undefined)) {
      await sleep(200);
    }
    for (const request of atlas.requests) for (const line of requestLines([request])) narrator.output(line);
  }
}

/** Only what is put before the user's own. */
function pathBefore(path: string): string {
  return `${quoted(path.replace(`:${process.env.PATH}`, ""))}:"$PATH"`;
}

function quoted(value: string): string {
  return /^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`;
}
