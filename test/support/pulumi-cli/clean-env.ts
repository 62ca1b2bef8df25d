import { delimiter, dirname } from "node:path";

/**
 * The environment of this process without the user's settings of Pulumi and Atlas. The running Node is first on PATH,
 * because Pulumi starts the `node` that it finds there.
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
