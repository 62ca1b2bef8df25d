import { rm } from "node:fs/promises";
import { dirname } from "node:path";
import { afterAll, describe, expect, inject, it } from "vitest";
import { type InstallKind, installPackage, packTarball } from "../support/plugin-host/install-package.ts";
import { ADA, startHost } from "./host-fixture.ts";

/** A program's folder, and a function that removes it. */
const install = async (kind: InstallKind) =>
  kind === "npm" ? { folder: inject("packageFolder"), dispose: async () => {} } : installPackage(kind);

describe.concurrent("the package", () => {
  // The tarball is removed when the process exits, but vitest kills its workers before that.
  afterAll(async () => rm(dirname(await packTarball()), { recursive: true, force: true }), 60_000);

  it.each<InstallKind>(["npm", "pnpm", "workspace", "self"])(
    "is found by the provider text: %s",
    async (kind) => {
      const { folder, dispose } = await install(kind);
      try {
        await using fixture = await startHost({ folder });
        const { host, organization } = fixture;
        const { inputs, failures } = await host.check({}, fixture.inputs({ username: "Ada@Example.com" }));
        expect({ inputs, failures }).toEqual({ inputs: fixture.inputs(), failures: [] });
        const { id, properties } = await host.create(inputs);
        expect(organization.users).toMatchObject([{ username: ADA, status: "PENDING", invitationId: id }]);
        await host.delete(id, properties);
        expect(organization.users).toEqual([]);
      } finally {
        await dispose();
      }
    },
  );

  it("loads no HTTP client in check and diff, which run for every resource of every preview", async () => {
    await using fixture = await startHost({ preload: "preload-recording.cjs" });
    const { host } = fixture;
    const { inputs } = await host.check({}, fixture.inputs());
    await host.diff("id", { ...inputs, status: "PENDING" }, fixture.inputs({ roles: ["ORG_OWNER"] }));
    const loaded = (stderr: string) => [
      ...new Set(stderr.match(/(?<=^loads )(undici|digest-fetch|valibot)$/gm)),
    ];
    expect(loaded((await fixture.output()).stderr)).toEqual(["valibot"]);

    const another = await fixture.restart();
    await another.create(inputs);
    await another.stop();
    expect(loaded(another.stderr).sort()).toEqual(["digest-fetch", "undici", "valibot"]);
  });
});
