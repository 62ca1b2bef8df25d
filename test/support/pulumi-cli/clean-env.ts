import { delimiter, dirname } from "node:path";

/**
 * The environment of this process for programs under test: the running Node first on PATH, since Pulumi starts
 * whatever `node` it finds, and none of the user's own settings of Pulumi or Atlas.
 * @param folders put on PATH after Node
 */
export function cleanEnv(...folders: string[]): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(PULUMI_|MONGODB_ATLAS_|MCLI_)/.test(name),
  );
  return {
    ...Object.fromEntries(inherited),
    PATH: [dirname(process.execPath), ...folders, process.env.PATH].join(delimiter),
  };
}
