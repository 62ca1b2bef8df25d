import { checkEnding, isConflict } from "./convergence-check.ts";
import { DeathError, type Outcome } from "./engine-model.ts";
import { forgetOrigins } from "./fake-undici.ts";
import { isMildTrouble } from "./faults.ts";
import { Violation } from "./invariant-violation.ts";
import { Session } from "./plugin-process.ts";
import type { Surroundings } from "./process-stubs.ts";
import type { Act, Command, Story } from "./scenario.ts";
import { World } from "./simulation.ts";
import { nameOf, organizationOf, Stack } from "./stack.ts";

// More than enough to be told of an error, refresh, replace what expired, and find nothing left to do.
const MOST_SETTLING_ROUNDS = 6;
const CALM = {
  parallel: 8,
  continueOnError: true,
  plansFirst: true,
  replaced: [],
  targets: undefined,
  troubles: [],
  acts: [],
  killed: undefined,
};

/** One run of a story: it throws a `Violation`, or whatever else went wrong, and tells what happened until then. */
export class Run {
  readonly #world: World;
  readonly #surroundings: Surroundings;
  /** Two stacks that cannot know of each other. */
  readonly #stacks: readonly [Stack, Stack];
  #session: Session | undefined;

  constructor(story: Story, surroundings: Surroundings) {
    this.#world = new World(story);
    this.#surroundings = surroundings;
    const plugin = (resource: string) => {
      return (this.#session as Session).plugin(organizationOf(resource, this.#world));
    };
    this.#stacks = [new Stack(this.#world, "dev", plugin), new Stack(this.#world, "other", plugin)];
  }

  get history(): string[] {
    return this.#world.history;
  }

  async live(): Promise<void> {
    const { story, clock, deeds, tell } = this.#world;
    this.#surroundings.useClock(clock);
    this.#surroundings.onPrint = (line) => tell(`   > ${line}`);
    try {
      deeds.introduceBystanders();
      const [first] = this.#stacks;
      for (const [slot, declaration] of story.program.entries()) first.declare(slot, declaration);
      if (story.isUp) await this.#run(first, { ...CALM, command: "up" });
      for (const { stack, edits, acts, command } of story.rounds) {
        for (const edit of edits) this.#stacks[stack].edit(edit);
        for (const act of acts) await this.#act(act);
        await this.#run(this.#stacks[stack], command);
      }
      tell("All trouble is over.");
      await this.#settle();
    } finally {
      forgetOrigins();
    }
  }

  /** Commands until they find nothing to do: then what is declared is so, or an error says why not. */
  async #settle(): Promise<void> {
    const [first, other] = this.#stacks;
    // Otherwise they would undo what the other does for ever.
    other.leave(first);
    for (let round = 0; round < MOST_SETTLING_ROUNDS; round++) {
      const errors = [await this.#settled(other), await this.#settled(first)];
      if (errors[0] && errors[1]) {
        const { atlas, watch } = this.#world;
        const isExcused = watch.isBoth.bind(watch);
        checkEnding(atlas, other.program(), other.engine, errors[0], isExcused);
        checkEnding(atlas, first.program(), first.engine, errors[1], isExcused);
        return;
      }
    }
    throw new Error("it never settles: there is always something left to do");
  }

  /** The errors that stay, where there is nothing left to do. */
  async #settled(stack: Stack): Promise<Outcome["errors"] | undefined> {
    const up = await this.#run(stack, { ...CALM, command: "up" });
    const refresh = await this.#run(stack, { ...CALM, command: "refresh" });
    if (!up || !refresh) throw new Error("nobody kills a process now");
    const hasSettled = up.changes === up.errors.length && refresh.changes + refresh.errors.length === 0;
    return hasSettled ? up.errors : undefined;
  }

  async #act(act: Act): Promise<void> {
    const { clock, deeds } = this.#world;
    const minutes = act.deed === "wait" ? act.minutes : 0.1;
    await clock.run(clock.sleep(minutes * 60_000));
    deeds.perform(act);
  }

  /** Runs a command and what follows it; undefined where it was killed. */
  async #run(stack: Stack, command: Command): Promise<Outcome | undefined> {
    const { clock, tell, watch } = this.#world;
    tell(`$ pulumi ${command.command}${stack === this.#stacks[1] ? " (the other stack)" : ""}`);
    const session = new Session(this.#world, this.#surroundings, command);
    this.#session = session;
    const finished = async () => {
      try {
        const outcome = await this.#command(stack, command);
        await session.end();
        if (isMild(command)) demandRefusals(outcome.errors);
        return outcome;
      } catch (error) {
        if (!(error instanceof DeathError)) throw error;
        await session.end();
        return undefined;
      }
    };
    const outcome = await clock.run(finished());
    watch.throwViolation();
    return outcome;
  }

  #command(stack: Stack, { command, ...given }: Command): Promise<Outcome> {
    const refresh = command.endsWith("--refresh");
    const targets = given.targets && new Set(given.targets.map(nameOf));
    const replaced = new Set(given.replaced.map(nameOf));
    const options = { ...given, refresh, replaced, targets };
    const isUp = command.startsWith("up");
    const program = [...stack.program()].filter(([name]) => isUp && (!targets || targets.has(name)));
    this.#world.watch.begins(new Map(program));
    switch (command) {
      case "up":
      case "up --refresh":
        return stack.engine.up(stack.program(), options);
      case "refresh":
        return stack.engine.refresh(options);
      case "destroy":
      case "destroy --refresh":
        return stack.engine.destroy(options);
    }
  }
}

/** Whether all that troubles a command is what each request must get over: six tries are made. */
function isMild({ troubles, acts }: Command): boolean {
  const times = troubles.reduce((sum, { trouble }) => sum + trouble.times, 0);
  return acts.length === 0 && times < 6 && troubles.every(({ trouble }) => isMildTrouble(trouble));
}

const REFUSAL =
  / has accepted | is already a member | expired| was rejected| no longer exists| is no longer a member | could not be created| did not take /;
// Of the two looks that an operation has, lost answers to two different requests use up both.
const TWICE_LOST = /, or became a member, in the meantime/;

/** The only errors that are due then are those of the lifecycle itself. */
function demandRefusals(errors: Outcome["errors"]): void {
  for (const { operation, error } of errors) {
    const isDue =
      REFUSAL.test(error.message) ||
      isConflict(error) ||
      (operation.kind === "delete" && TWICE_LOST.test(error.message));
    if (!isDue) throw new Violation(`a little trouble was too much: ${error.message}`);
  }
}
