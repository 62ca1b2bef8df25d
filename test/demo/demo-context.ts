import type { Organization } from "../support/simulated-atlas/organization.ts";
import type { LoggedRequest } from "../support/simulated-atlas/request-log.ts";
import type { SimulatedAtlas } from "../support/simulated-atlas/simulated-atlas.ts";
import { type Narrator, UnexpectedEndError } from "./printer.ts";
import type { Outcome, Stage } from "./runner.ts";

/** A command that ended, and what Atlas saw of it. */
export interface Act extends Outcome {
  requests: LoggedRequest[];
  /** Whom Atlas invited by e-mail, sorted. */
  mailed: string[];
}

/** Where and among whom the story plays. */
export class Scene {
  readonly narrator: Narrator;
  readonly stage: Stage;
  readonly atlas: SimulatedAtlas;
  readonly organization: Organization;
  commands = 0;
  requests = 0;
  mails = 0;

  constructor(narrator: Narrator, stage: Stage, atlas: SimulatedAtlas, organization: Organization) {
    this.narrator = narrator;
    this.stage = stage;
    this.atlas = atlas;
    this.organization = organization;
  }

  /**
   * Runs a command and shows what it did in Atlas.
   * @throws UnexpectedEndError if it fails
   */
  async run(command: string, env?: Record<string, string>): Promise<Act> {
    const act = await this.#run(command, env);
    if (act.failed) throw new UnexpectedEndError(`"pulumi ${command}" failed:\n${act.text}`);
    return act;
  }

  /**
   * The same for a command that has to fail.
   * @throws UnexpectedEndError if it does not
   */
  async fail(command: string): Promise<Act> {
    const act = await this.#run(command);
    if (!act.failed) throw new UnexpectedEndError(`"pulumi ${command}" was to fail, and did not.`);
    return act;
  }

  /** Everybody whom Atlas remembers, as "ada PENDING", sorted. */
  people(): string[] {
    return this.organization.users
      .map(({ username, status }) => `${username.split("@")[0]} ${status}`)
      .sort();
  }

  async #run(command: string, env?: Record<string, string>): Promise<Act> {
    this.atlas.forget();
    const mailsBefore = this.atlas.mails.length;
    const outcome = await this.stage.run(command, env);
    const requests = [...this.atlas.requests];
    const mailed = this.atlas.mails
      .slice(mailsBefore)
      .map(({ username }) => username)
      .sort();
    this.commands += 1;
    this.requests += requests.length;
    this.mails += mailed.length;
    if (!command.startsWith("config ")) this.narrator.seen(requests, mailed);
    return { ...outcome, requests, mailed };
  }
}
