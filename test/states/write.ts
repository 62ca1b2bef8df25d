// Keeps the state that this version writes: run by hand before a release, and never for one that is out.
//   npm run build && node test/states/write.ts && npx biome check --write test/states
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { GENERATIONS } from "../engine/expected-requests.ts";
import { ADA, ALAN, EDSGER, GRACE } from "../engine/fixtures.ts";
import { Ground, InvitationStack, REFRESH, UP } from "../engine/invitation-stack.ts";

const manifest = JSON.parse(
  await readFile(join(import.meta.dirname, "..", "..", "package.json"), "utf8"),
) as { version: string };
const folder = join(import.meta.dirname, manifest.version);
await mkdir(folder, { recursive: true });

await using ground = await Ground.lay();
for (const generation of GENERATIONS) {
  const now = () => Date.parse("2026-01-01T00:00:00Z");
  await using stack = await InvitationStack.start(ground, generation, { now });
  const { organization } = stack;
  await stack.declare({
    ada: {
      teamIds: [organization.addTeam()],
      groupRoleAssignments: [
        { groupId: organization.addProject(), roles: ["GROUP_OWNER", "GROUP_READ_ONLY"] },
      ],
    },
    alan: { onAccepted: "retain" },
    grace: {},
    edsger: { roles: ["ORG_READ_ONLY"] },
  });
  await stack.run(UP);
  organization.accept(ALAN);
  organization.expire(GRACE);
  organization.reject(EDSGER);
  await stack.run(REFRESH);
  const statuses = [ADA, ALAN, GRACE, EDSGER].map((username) => stack.person(username).status);
  const { stdout } = await stack.workspace.pulumi(["stack", "export"]);
  await writeFile(join(folder, `${generation.name}.json`), stdout);
  console.log(`${generation.name}: ${statuses.join(", ")}`);
}
