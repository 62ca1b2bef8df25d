import { argsOf, EngineModel, type EngineOptions, type Program } from "./engine-model.ts";
import { emailAddress, personKey } from "./people.ts";
import type { Declaration, Edit } from "./scenario.ts";
import type { Simulation } from "./simulation.ts";

/** A program, and the engine that deploys it. */
export class Stack {
  readonly engine: EngineModel;
  readonly #simulation: Simulation;
  readonly #declarations = new Map<number, Declaration>();

  constructor(simulation: Simulation, stackName: string, processOf: EngineOptions["processOf"]) {
    this.#simulation = simulation;
    const { invariants, log } = simulation;
    this.engine = new EngineModel({
      stackName,
      processOf,
      onBegin: (operation) => invariants.onBegin(operation),
      onEnd: (operation, result) => {
        const { username } = argsOf(operation);
        const error = "error" in result && (result.error as Error).message;
        log(`   ${operation.kind} of ${username}: ${error || "done"}`);
        invariants.onEnd(operation, result);
      },
    });
  }

  program(): Program {
    return new Map(
      [...this.#declarations].map(
        ([slot, { person, upperCase, isChanged, deleteBeforeReplace, ...given }]) => {
          const username = emailAddress(person, { upperCase, isChanged });
          const args = { orgId: this.#orgId(slot), username, ...given };
          return [nameOf(slot), { args: JSON.parse(JSON.stringify(args)), deleteBeforeReplace }];
        },
      ),
    );
  }

  /** Edits the program; ignores an edit that no valid program can contain. */
  edit(edit: Edit): void {
    if (edit.edit === "shift") {
      const all = [...this.#declarations];
      this.#declarations.clear();
      for (const [slot, declaration] of all) {
        const to = slot + edit.by * this.#simulation.scenario.organizations;
        if (to >= 0) this.declare(to, declaration);
      }
      return;
    }
    const old = this.#declarations.get(edit.slot);
    if (edit.edit === "remove" || edit.edit === "rename") this.#declarations.delete(edit.slot);
    if (edit.edit === "declare") this.declare(edit.slot, edit.declaration);
    if (edit.edit === "change" && old) this.declare(edit.slot, { ...old, ...edit.changes });
    if (edit.edit === "rename" && old) this.declare(edit.to, old);
  }

  /** Ignores a declaration of a person whom another resource of the program declares. */
  declare(slot: number, declaration: Declaration): void {
    const person = this.#personKey(slot, declaration);
    const isTaken = [...this.#declarations].some(
      ([other, one]) => other !== slot && this.#personKey(other, one) === person,
    );
    if (!isTaken) this.#declarations.set(slot, declaration);
  }

  /** Removes the declarations of people whom another stack declares. */
  removeDeclarationsOf(other: Stack): void {
    const declared = [...other.#declarations].map((entry) => other.#personKey(...entry));
    for (const [slot, declaration] of this.#declarations) {
      if (declared.includes(this.#personKey(slot, declaration))) this.#declarations.delete(slot);
    }
  }

  #personKey(slot: number, { person }: Declaration): string {
    return personKey(this.#orgId(slot), emailAddress(person));
  }

  #orgId(slot: number): string {
    const { atlas, scenario } = this.#simulation;
    return atlas.organizations[slot % scenario.organizations]?.id ?? "";
  }
}

export function nameOf(slot: number): string {
  return `resource${slot}`;
}

/** The organization of a resource, by index: each one has its own provider. */
export function organizationOf(resource: string, { scenario }: Simulation): number {
  return Number(resource.replace(/\D/g, "")) % scenario.organizations;
}
