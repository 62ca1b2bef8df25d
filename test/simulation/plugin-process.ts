import { DeathError, type Plugin } from "./engine-model.ts";
import { listen, type WireAnswer, type WireRequest } from "./fake-undici.ts";
import { consequenceOf, fits, type Trouble, troubleText, WORK_MS, wireAnswer } from "./faults.ts";
import { forgetPeers } from "./peers.ts";
import type { Surroundings } from "./process-stubs.ts";
import type { Command } from "./scenario.ts";
import type { World } from "./simulation.ts";

const LATENCY_MS = 120;
// A pause in the requests that is longer than this is a wait.
const AT_ONCE_MS = 1_000;
const NEVER = new Promise<never>(() => {});

/**
 * The processes of the plugin that one command of Pulumi starts, one for each organization, and everything that
 * happens to their requests. They die together: it is the engine that is killed.
 */
export class Session {
  readonly #world: World;
  readonly #surroundings: Surroundings;
  readonly #killed: Command["killed"];
  #acts: Command["acts"];
  #troubles: Command["troubles"];
  readonly #plugins: Plugin[];
  #requests = 0;
  #lastArrival = Number.POSITIVE_INFINITY;
  #isAlive = true;
  #die: () => void = () => {};

  constructor(
    world: World,
    surroundings: Surroundings,
    { troubles, acts, killed }: Pick<Command, "troubles" | "acts" | "killed">,
  ) {
    this.#world = world;
    this.#surroundings = surroundings;
    this.#killed = killed;
    this.#acts = acts;
    this.#troubles = structuredClone(troubles);
    const death = new Promise<never>((_, reject) => {
      this.#die = () => reject(new DeathError("killed"));
    });
    death.catch(() => {});
    this.#plugins = world.atlas.organizations.map((_, index) => ({ provider: this.#start(index), death }));
  }

  /** The process for an organization, by number. */
  plugin(organization: number): Plugin {
    return this.#plugins[organization] as Plugin;
  }

  /** The command is over: the engine stops the processes, unless they were killed. */
  async end(): Promise<void> {
    const { clock, watch } = this.#world;
    const farewells = this.#surroundings.takeFarewells();
    if (this.#isAlive) await Promise.all(farewells.map((farewell) => farewell()));
    this.#isAlive = false;
    // Whatever is on its way comes to Atlas before somebody runs the next command.
    await clock.sleep(10_000);
    watch.endAll();
    forgetPeers();
  }

  #start(organization: number) {
    const { atlas, story } = this.#world;
    // Nothing is remembered of other processes: a connection lasts as long as its settings, and these are new.
    const settings: Record<string, string> = {
      "mongodbatlas:baseUrl": listen((request) => this.#exchange(request)),
      "mongodbatlas:invitationsApi": story.generation,
      ...atlas.credentials(organization, story.credentials),
    };
    return this.#surroundings.load(organization, (name) => settings[name]);
  }

  async #exchange(request: WireRequest): Promise<WireAnswer> {
    const { clock, edges, watch, atlas, tell } = this.#world;
    const sentAt = clock.now();
    if (!this.#isAlive) return NEVER;
    const number = this.#requests++;
    const trouble = this.#troubleFor(number, request);
    await clock.sleep(clock.random() * LATENCY_MS);
    // What was on its way when the process died arrives, or does not.
    if (!this.#isAlive && clock.random() < 0.5) return NEVER;

    this.#letPeopleAct(number, request);
    const isKilled = this.#isAlive && this.#killed?.at === number;
    if (isKilled && this.#killed?.when === "before") return this.#kill(request);

    const consequence = trouble && consequenceOf(trouble, clock.now());
    const work = (note: string) => {
      const answer = watch.during(sentAt, () => wireAnswer(atlas.answer(request)));
      tell(`   ${line(request)} ${answer.status}${note}`);
      return answer;
    };
    const note = trouble ? ` (${troubleText(trouble)})` : "";
    const isDone = consequence?.isDone !== false && !consequence?.isLate;
    const answer = isDone ? work(note) : undefined;
    if (!isDone) tell(`   ${line(request)} not done${consequence?.isLate ? " yet" : ""}${note}`);
    if (consequence?.isLate) void clock.sleep(WORK_MS).then(() => work(" (late)"));
    const comes = edges.answers(request);
    if (isKilled) return this.#kill(request);

    await clock.sleep(clock.random() * LATENCY_MS + (consequence?.delayMs ?? 0));
    if (!this.#isAlive) return NEVER;
    comes();
    const seen = consequence ? consequence.seen(answer as WireAnswer) : (answer as WireAnswer);
    if (answer && seen === answer) watch.answered(request, answer);
    return seen;
  }

  /** What is due by now; after a wait it is one thing. */
  #letPeopleAct(number: number, request: WireRequest): void {
    const { clock, deeds, atlas } = this.#world;
    const hasWaited = clock.now() - this.#lastArrival > AT_ONCE_MS;
    this.#lastArrival = clock.now();
    const afterWait = hasWaited ? this.#acts.find(({ at }) => at === "a wait") : undefined;
    const due = this.#acts.filter(
      (event) => event === afterWait || (event.at !== "a wait" && event.at <= number),
    );
    this.#acts = this.#acts.filter((event) => !due.includes(event));
    for (const { act } of due) deeds.perform(act, atlas.subject(request));
  }

  #kill(request: WireRequest): Promise<never> {
    this.#world.tell(`!! the process is killed ${this.#killed?.when} ${line(request)} is done`);
    this.#isAlive = false;
    this.#die();
    return NEVER;
  }

  /** The oldest trouble that is due and fits. */
  #troubleFor(number: number, request: WireRequest): Trouble | undefined {
    const due = this.#troubles.find(
      ({ at, spares, trouble }) => at <= number && spares !== request.method && fits(trouble, request),
    );
    if (!due) return undefined;
    const { trouble } = due;
    due.trouble = { ...trouble, times: trouble.times - 1 };
    this.#troubles = this.#troubles.filter(({ trouble }) => trouble.times > 0);
    return { ...trouble, times: 1 };
  }
}

function line({ method, target, text }: WireRequest): string {
  const username = /"username":"([^"]+)"/.exec(text)?.[1];
  const path = target
    .replace(/^\/api\/(atlas\/)?/, "")
    .replace(/\?.*/, "?…")
    .replace(/0{16,}/g, "…");
  return `${method} ${path}${username ? ` for ${username}` : ""}:`;
}
