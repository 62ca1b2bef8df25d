// Keeps the state that this version writes: run by hand before a release, and never for one that is out.
//   npm run build && node test/states/write.ts && npx biome check --write test/states
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { API_VERSIONS } from "../engine/expected-requests.ts";
import { ADA, ALAN, createStack, EDSGER, GRACE, REFRESH, UP } from "../engine/invitation-stack.ts";
import { installPackage } from "../support/plugin-host/install-package.ts";
import { provideEngine } from "../support/pulumi-cli/provide-engine.ts";

const manifest = JSON.parse(
  await readFile(join(import.meta.dirname, "..", "..", "package.json"), "utf8"),
) as { version: string };
const folder = join(import.meta.dirname, manifest.version);
await mkdir(folder, { recursive: true });

const engine = await provideEngine({ log: console.log });
const { folder: packageFolder, dispose } = await installPackage("npm");
for (const version of API_VERSIONS) {
  const now = () => Date.parse("2026-01-01T00:00:00Z");
  await using stack = await createStack({ engine, packageFolder }, version, { now });
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
  await writeFile(join(folder, `${version.name}.json`), stdout);
  console.log(`${version.name}: ${statuses.join(", ")}`);
}
await dispose();
