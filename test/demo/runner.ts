/** How a command ended. */
export interface Outcome {
  failed: boolean;
  /** All that it said, without colours. */
  text: string;
}

/** Where the story is played: on the real CLI or, where there is none, on Pulumi's plugin host. */
export interface Stage {
  /**
   * Runs a command and shows it with its output.
   * @param command what follows `pulumi` on the command line
   * @param env for this command only
   */
  run(command: string, env?: Record<string, string>): Promise<Outcome>;

  /** Runs no further command. */
  stop(): Promise<void>;
}

/** The words of a command line; quotes only hold off the shell. */
export function words(command: string): string[] {
  return command.split(" ").map((word) => word.replace(/^'(.*)'$/, "$1"));
}
