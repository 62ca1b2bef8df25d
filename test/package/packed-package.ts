import { execFile } from "node:child_process";
import { mkdir, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { npm } from "./npm.ts";
import { copyRepository, REPOSITORY } from "./repository-copy.ts";

/** What npm would publish, unpacked. */
export interface PackedPackage extends AsyncDisposable {
  /** The folder with its files. */
  folder: string;
  /** The paths of its files, with `/`. */
  files: string[];
  size: PackageSize;
}

export interface PackageSize {
  packedBytes: number;
  unpackedBytes: number;
  files: number;
}

type PackResult = { filename: string; size: number; unpackedSize: number; files: { path: string }[] };

/** Builds and packs a copy of the repository, so that nobody's `dist/` changes, and unpacks the tarball. */
export async function packPackage(): Promise<PackedPackage> {
  const copy = await copyRepository();
  const dispose = () => rm(copy, { recursive: true, force: true });
  try {
    await symlink(join(REPOSITORY, "node_modules"), join(copy, "node_modules"), "junction");
    const [packed] = Object.values(JSON.parse(await npm(copy, "pack", "--json"))) as [PackResult];
    const unpacked = join(copy, "unpacked");
    await mkdir(unpacked);
    // With relative paths, as the `tar` of Git for Windows takes a drive letter for a host.
    await promisify(execFile)("tar", ["-xzf", packed.filename, "-C", "unpacked"], { cwd: copy });
    return {
      folder: join(unpacked, "package"),
      files: packed.files.map(({ path }) => path),
      size: { packedBytes: packed.size, unpackedBytes: packed.unpackedSize, files: packed.files.length },
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** The line of the changelog that says how large the package is. */
export function sizeLine({ packedBytes, unpackedBytes, files }: PackageSize): string {
  const kilobytes = (bytes: number) => `${Math.round(bytes / 1000)} kB`;
  return `- Size of the package: ${kilobytes(packedBytes)} packed, ${kilobytes(unpackedBytes)} unpacked, ${files} files.`;
}

export const SIZE_LINE = /^- Size of the package: (\d+) kB packed, (\d+) kB unpacked, (\d+) files\.$/m;

/** The section of the changelog about one version, without its heading. */
export function changelogSection(changelog: string, version: string): string | undefined {
  const [, ...sections] = changelog.split(/^## /m);
  const section = sections.find((text) => text.startsWith(`${version}\n`));
  return section?.slice(version.length).trim();
}
