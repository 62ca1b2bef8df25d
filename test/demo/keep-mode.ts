import { setTimeout as sleep } from "node:timers/promises";
import type { Workspace } from "../support/pulumi-cli/workspace.ts";
import type { SimulatedAtlas } from "../support/simulated-atlas/simulated-atlas.ts";
import * as printer from "./printer.ts";
import { requestLines } from "./request-lines.ts";

const SETTINGS = /^(PATH|PULUMI_.*|MONGODB_ATLAS_.*)$/;

/** Shell commands that set up a terminal for the stack, and commands to try there. */
export function shellInstructions(workspace: Workspace): string[] {
  const settings = Object.entries({ ...workspace.env, PULUMI_OPTION_CONFIG_FILE: workspace.configFile });
  return [
    `cd ${quote(workspace.folder)}`,
    ...settings
      .filter(([name]) => SETTINGS.test(name))
      .map(([name, value = ""]) => `export ${name}=${name === "PATH" ? pathPrefix(value) : quote(value)}`),
    "",
    "pulumi preview --refresh --diff",
    "pulumi up --refresh",
    "pulumi config set onAccepted manage",
    "pulumi destroy",
    'curl --user "$MONGODB_ATLAS_PUBLIC_KEY:$MONGODB_ATLAS_PRIVATE_KEY" --digest "$MONGODB_ATLAS_BASE_URL/api/atlas/v1.0/orgs/$(pulumi config get orgId)/invites?pretty=true"',
  ];
}

/** Prints each request that Atlas receives, until the process ends. */
export async function printRequestsForever(atlas: SimulatedAtlas): Promise<never> {
  for (;;) {
    atlas.forget();
    // A request is logged before it is answered, and printed after.
    while (atlas.requests.length === 0 || atlas.requests.some(({ status }) => status === undefined)) {
      await sleep(200);
    }
    for (const request of atlas.requests) requestLines([request]).forEach(printer.output);
  }
}

/** The folders that come before the user's own. */
function pathPrefix(path: string): string {
  return `${quote(path.replace(`:${process.env.PATH}`, ""))}:"$PATH"`;
}

function quote(value: string): string {
  return /^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`;
}
