import { changelogSection, SIZE_LINE } from "./packed-package.ts";

export interface Release {
  manifest: {
    version: string;
    private?: boolean;
    repository?: string | { url?: string };
    bugs?: unknown;
    homepage?: unknown;
    publishConfig?: { access?: string; provenance?: boolean };
  };
  changelog: string;
  npmVersion: string;
  /** On GitHub, the `owner/name` of the repository whose workflow runs. */
  workflowRepository?: string | undefined;
}

/** From this version on, npm publishes without a token. */
const MINIMUM_NPM = "11.5.1";

/** Why the package must not be published as it is: one sentence for each reason. */
export function releaseProblems(release: Release): string[] {
  const { manifest, changelog, npmVersion, workflowRepository } = release;
  const problems: string[] = [];
  const { repository } = manifest;
  const url = typeof repository === "string" ? repository : repository?.url;
  const name = /^git\+https:\/\/github\.com\/([^/]+\/[^/]+)\.git$/.exec(url ?? "")?.[1];
  if (!url) {
    problems.push(
      'package.json has no "repository". npm\'s provenance names the public repository that a package was built from. ' +
        'Set it: { "type": "git", "url": "git+https://github.com/OWNER/NAME.git" }.',
    );
  } else if (!name) {
    problems.push(
      `"repository" in package.json is ${url}, not of the form git+https://github.com/OWNER/NAME.git.`,
    );
  } else if (workflowRepository && name.toLowerCase() !== workflowRepository.toLowerCase()) {
    problems.push(
      `"repository" in package.json is ${name}, but this workflow runs in ${workflowRepository}. npm refuses that.`,
    );
  }
  for (const field of ["bugs", "homepage"] as const) {
    if (!manifest[field])
      problems.push(`package.json has no "${field}". Set it to a page of the repository.`);
  }
  if (manifest.private) problems.push('package.json is "private".');
  if (manifest.publishConfig?.access !== "public" || manifest.publishConfig.provenance !== true) {
    problems.push('"publishConfig" in package.json is not { "access": "public", "provenance": true }.');
  }
  if (!SIZE_LINE.test(changelogSection(changelog, manifest.version) ?? "")) {
    problems.push(`CHANGELOG.md does not say the size of ${manifest.version}. Run npm run release:size.`);
  }
  if (npmVersion.localeCompare(MINIMUM_NPM, "en", { numeric: true }) < 0) {
    problems.push(`npm is ${npmVersion}. Publishing without a token needs ${MINIMUM_NPM} or newer.`);
  }
  return problems;
}
