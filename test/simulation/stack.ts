import { EngineModel, type EngineOptions, type Program } from "./engine-model.ts";
import { address, whoIs } from "./people.ts";
import type { Declaration, Edit } from "./scenario.ts";
import type { World } from "./simulation.ts";

/** A program, and what the engine keeps of it. */
export class Stack {
  readonly engine: EngineModel;
  readonly #world: World;
  readonly #declarations = new Map<number, Declaration>();

  constructor(world: World, stackName: string, plugin: EngineOptions["plugin"]) {
    this.#world = world;
    const { watch, tell } = world;
    this.engine = new EngineModel({
      stackName,
      plugin,
      begin: (operation) => watch.begin(operation),
      end: (operation, outcome) => {
        const { username } = (operation.inputs ?? operation.stored) as { username: string };
        const error = "error" in outcome && (outcome.error as Error).message;
        tell(`   ${operation.kind} of ${username}: ${error || "done"}`);
        watch.end(operation, outcome);
      },
    });
  }

  program(): Program {
    return new Map(
      [...this.#declarations].map(([slot, { person, shouted, moved, deleteBeforeReplace, ...given }]) => {
        const args = { orgId: this.#orgId(slot), username: address(person, { shouted, moved }), ...given };
        return [nameOf(slot), { args: JSON.parse(JSON.stringify(args)), deleteBeforeReplace }];
      }),
    );
  }

  /** Edits the program; what no program may say is left out. */
  edit(edit: Edit): void {
    const all = [...this.#declarations];
    switch (edit.edit) {
      case "declare":
        this.declare(edit.slot, edit.declaration);
        return;
      case "change": {
        const old = this.#declarations.get(edit.slot);
        if (old) this.declare(edit.slot, { ...old, ...edit.changes });
        return;
      }
      case "remove":
        this.#declarations.delete(edit.slot);
        return;
      case "rename": {
        const old = this.#declarations.get(edit.slot);
        this.#declarations.delete(edit.slot);
        if (old) this.declare(edit.to, old);
        return;
      }
      case "shift":
        this.#declarations.clear();
        for (const [slot, declaration] of all) {
          const to = slot + edit.by * this.#world.story.organizations;
          if (to >= 0) this.declare(to, declaration);
        }
    }
  }

  /** A program declares a person once. */
  declare(slot: number, declaration: Declaration): void {
    const who = this.#who(slot, declaration);
    const isTaken = [...this.#declarations].some(
      ([other, one]) => other !== slot && this.#who(other, one) === who,
    );
    if (!isTaken) this.#declarations.set(slot, declaration);
  }

  /** No longer declares whom another stack declares. */
  leave(other: Stack): void {
    const theirs = [...other.#declarations].map(([slot, declaration]) => other.#who(slot, declaration));
    for (const [slot, declaration] of this.#declarations) {
      if (theirs.includes(this.#who(slot, declaration))) this.#declarations.delete(slot);
    }
  }

  #who(slot: number, { person }: Declaration): string {
    return whoIs(this.#orgId(slot), address(person));
  }

  #orgId(slot: number): string {
    const { atlas, story } = this.#world;
    return atlas.organizations[slot % story.organizations]?.id ?? "";
  }
}

export function nameOf(slot: number): string {
  return `resource${slot}`;
}

/** The organization of a resource, by number: each has a provider of its own. */
export function organizationOf(resource: string, { story }: World): number {
  return Number(resource.replace(/\D/g, "")) % story.organizations;
}
