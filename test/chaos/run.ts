import { DeathError, EngineModel, type Outcome, type Program } from "./engine-model.ts";
import { address, whoIs } from "./people.ts";
import { Session } from "./session.ts";
import type { Act, Command, Declaration, Edit, Story } from "./story.ts";
import type { Surroundings } from "./surroundings.ts";
import { isMildTrouble } from "./trouble.ts";
import { checkEnding } from "./verdict.ts";
import { Violation } from "./violation.ts";
import { forgetOrigins } from "./wire.ts";
import { World } from "./world.ts";

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
  readonly #engine: EngineModel;
  readonly #declarations = new Map<number, Declaration>();
  #session: Session | undefined;

  constructor(story: Story, surroundings: Surroundings) {
    this.#world = new World(story);
    this.#surroundings = surroundings;
    const { watch, tell } = this.#world;
    this.#engine = new EngineModel({
      stackName: "dev",
      plugin: (resource) => (this.#session as Session).plugin(this.#organizationOf(resource)),
      begin: (operation) => watch.begin(operation),
      end: (operation, outcome) => {
        const { username } = (operation.inputs ?? operation.stored) as { username: string };
        const error = "error" in outcome && (outcome.error as Error).message;
        tell(`   ${operation.kind} of ${username}: ${error || "done"}`);
        watch.end(operation, outcome);
      },
    });
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
      for (const [slot, declaration] of story.program.entries()) this.#declare(slot, declaration);
      if (story.isUp) await this.#run({ ...CALM, command: "up" });
      for (const { edits, acts, command } of story.rounds) {
        for (const edit of edits) this.#edit(edit);
        for (const act of acts) await this.#act(act);
        await this.#run(command);
      }
      tell("All trouble is over.");
      await this.#settle();
    } finally {
      forgetOrigins();
    }
  }

  /** Commands until they find nothing to do: then what is declared is so, or an error says why not. */
  async #settle(): Promise<void> {
    for (let round = 0; round < MOST_SETTLING_ROUNDS; round++) {
      const up = await this.#run({ ...CALM, command: "up" });
      const refresh = await this.#run({ ...CALM, command: "refresh" });
      if (!up || !refresh) throw new Error("nobody kills a process now");
      const hasSettled = up.changes === up.errors.length && refresh.changes + refresh.errors.length === 0;
      if (hasSettled) {
        return checkEnding(this.#world.atlas, this.#program(), this.#engine, up.errors);
      }
    }
    throw new Error("it never settles: there is always something left to do");
  }

  async #act(act: Act): Promise<void> {
    const { clock, deeds } = this.#world;
    const minutes = act.deed === "wait" ? act.minutes : 0.1;
    await clock.run(clock.sleep(minutes * 60_000));
    deeds.perform(act);
  }

  /** Runs a command and what follows it; undefined where it was killed. */
  async #run(command: Command): Promise<Outcome | undefined> {
    const { clock, tell, watch } = this.#world;
    tell(`$ pulumi ${command.command}`);
    const session = new Session(this.#world, this.#surroundings, command);
    this.#session = session;
    const finished = async () => {
      try {
        const outcome = await this.#command(command);
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

  #command({ command, ...given }: Command): Promise<Outcome> {
    const refresh = command.endsWith("--refresh");
    const targets = given.targets && new Set(given.targets.map(nameOf));
    const replaced = new Set(given.replaced.map(nameOf));
    const options = { ...given, refresh, replaced, targets };
    const isUp = command.startsWith("up");
    const program = [...this.#program()].filter(([name]) => isUp && (!targets || targets.has(name)));
    this.#world.watch.begins({ program: new Map(program), replaced });
    switch (command) {
      case "up":
      case "up --refresh":
        return this.#engine.up(this.#program(), options);
      case "refresh":
        return this.#engine.refresh(options);
      case "destroy":
      case "destroy --refresh":
        return this.#engine.destroy(options);
    }
  }

  /** Edits the program; what no program may say is left out. */
  #edit(edit: Edit): void {
    const all = [...this.#declarations];
    switch (edit.edit) {
      case "declare":
        this.#declare(edit.slot, edit.declaration);
        return;
      case "change": {
        const old = this.#declarations.get(edit.slot);
        if (old) this.#declare(edit.slot, { ...old, ...edit.changes });
        return;
      }
      case "remove":
        this.#declarations.delete(edit.slot);
        return;
      case "rename": {
        const old = this.#declarations.get(edit.slot);
        this.#declarations.delete(edit.slot);
        if (old) this.#declare(edit.to, old);
        return;
      }
      case "shift":
        this.#declarations.clear();
        for (const [slot, declaration] of all) {
          const to = slot + edit.by * this.#world.story.organizations;
          if (to >= 0) this.#declare(to, declaration);
        }
    }
  }

  /** A program declares a person once. */
  #declare(slot: number, declaration: Declaration): void {
    const who = (slot: number, { person }: Declaration) => whoIs(this.#orgId(slot), address(person));
    const isTaken = [...this.#declarations].some(
      ([other, one]) => other !== slot && who(other, one) === who(slot, declaration),
    );
    if (!isTaken) this.#declarations.set(slot, declaration);
  }

  #program(): Program {
    return new Map(
      [...this.#declarations].map(([slot, { person, shouted, deleteBeforeReplace, ...given }]) => {
        const args = { orgId: this.#orgId(slot), username: address(person, shouted), ...given };
        return [nameOf(slot), { args: JSON.parse(JSON.stringify(args)), deleteBeforeReplace }];
      }),
    );
  }

  #organizationOf(resource: string): number {
    return Number(resource.replace(/\D/g, "")) % this.#world.story.organizations;
  }

  #orgId(slot: number): string {
    return this.#world.atlas.organizations[this.#organizationOf(nameOf(slot))]?.id ?? "";
  }
}

/** Whether all that troubles a command is what each request must get over: six tries are made. */
function isMild({ troubles, acts }: Command): boolean {
  const times = troubles.reduce((sum, { trouble }) => sum + trouble.times, 0);
  return acts.length === 0 && times < 6 && troubles.every(({ trouble }) => isMildTrouble(trouble));
}

const REFUSAL =
  / has accepted | is already a member | expired| was rejected| was cancelled outside | is no longer a member | could not be created| did not take /;
// Of the two looks that an operation has, lost answers to two different requests use up both.
const TWICE_LOST = / became known to /;

/** The only errors that are due then are those of the lifecycle itself. */
function demandRefusals(errors: Outcome["errors"]): void {
  for (const { operation, error } of errors) {
    const isDue =
      REFUSAL.test(error.message) || (operation.kind === "delete" && TWICE_LOST.test(error.message));
    if (!isDue) throw new Violation(`a little trouble was too much: ${error.message}`);
  }
}

function nameOf(slot: number): string {
  return `resource${slot}`;
}
