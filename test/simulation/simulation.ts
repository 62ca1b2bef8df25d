import { Deeds } from "./external-changes.ts";
import { Watch } from "./invariants.ts";
import { KnownEdges } from "./known-edges.ts";
import { chance } from "./prng.ts";
import type { Story } from "./scenario.ts";
import { Atlas } from "./simulated-endpoints.ts";
import { VirtualClock } from "./virtual-clock.ts";

/** One Atlas, its people and its time, for one run. */
export class World {
  readonly story: Story;
  readonly clock: VirtualClock;
  readonly atlas: Atlas;
  readonly watch: Watch;
  readonly edges: KnownEdges;
  readonly deeds: Deeds;
  /** What happened, line by line. */
  readonly history: string[] = [];
  readonly #startedAt: number;

  constructor(story: Story) {
    this.story = story;
    this.clock = new VirtualClock(chance(story.seed));
    const { now } = this.clock;
    this.#startedAt = now();
    this.atlas = new Atlas(story.settings, story.organizations, now, this.clock.random);
    this.edges = new KnownEdges(now);
    this.watch = new Watch(this.atlas, this.edges, now);
    this.deeds = new Deeds(this.atlas, this.watch, this.edges, this.tell);
  }

  tell = (line: string): void => {
    const seconds = ((this.clock.now() - this.#startedAt) / 1000).toFixed(1);
    this.history.push(`${seconds.padStart(8)} s  ${line}`);
  };
}
