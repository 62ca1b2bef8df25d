import { addressKey } from "../atlas/subject.ts";
import type { OrgInvitationInputs } from "./org-invitation-state.ts";

/** The address of a person, and Atlas's ids where they are known. */
export interface PersonIdentity {
  orgId: string;
  username: string;
  invitationId?: string | undefined;
  userId?: string | undefined;
}

/** Identifies an invitation among those of the same person. */
export type SentInvitation = Pick<PersonIdentity, "invitationId" | "userId"> & {
  createdAt?: string | undefined;
};

/** The resource that declares a person. */
export interface Declaration {
  inputs: OrgInvitationInputs;
  /** A key of the resource; absent in a state of 0.1.0, or where the adapter does not know it. */
  declaredBy?: string | undefined;
  /** The invitation that the resource sent when it was created in this run; absent where it adopted one. */
  sent?: SentInvitation | undefined;
  /** Whether the creation of the resource failed, so that the state does not contain it. */
  isFailed?: boolean;
}

/** Exchanges with the other processes of the same run which people they declare. */
export interface DeclarationExchange {
  announce(topic: string): void;
  withdraw(topic: string): void;
  others(topic: string): number;
}

/**
 * The people whom resources of this run declare.
 *
 * An engine that creates before it deletes, for a resource that is renamed, moved or replaced, may delete a resource
 * whose person another resource has just adopted. A resource that left the program is deleted after the program has
 * ended, when every resource that is still declared, and targeted, was checked (deployment_executor.go of the engine).
 */
export class Declarations {
  readonly #byKey = new Map<string, Declaration>();
  readonly #exchange: DeclarationExchange | undefined;

  constructor(exchange?: DeclarationExchange) {
    this.#exchange = exchange;
  }

  /** Removes the declaration of a resource that is about to be created, or was deleted. */
  remove(person: PersonIdentity): void {
    const declaration = this.find(person);
    for (const [key, other] of this.#byKey) {
      if (other === declaration) this.#byKey.delete(key);
    }
    this.#exchange?.withdraw(addressKey(person));
  }

  /** Adds the declaration of a resource that was created or updated, or is kept unchanged. */
  add(person: PersonIdentity, declaration: Declaration): void {
    for (const key of identityKeys(person)) this.#byKey.set(key, declaration);
    this.#exchange?.announce(addressKey(person));
  }

  /** The declaration of the person by a resource of this process. */
  find(person: PersonIdentity): Declaration | undefined {
    for (const key of identityKeys(person)) {
      const declaration = this.#byKey.get(key);
      if (declaration) return declaration;
    }
    return undefined;
  }

  /** Whether a resource of another process declares the person in this run. */
  isDeclaredElsewhere(person: PersonIdentity): boolean {
    return (this.#exchange?.others(addressKey(person)) ?? 0) > 0;
  }
}

function identityKeys(person: PersonIdentity): string[] {
  const { orgId, invitationId, userId } = person;
  return [
    addressKey(person),
    ...(invitationId ? [`${orgId} invitation ${invitationId}`] : []),
    ...(userId ? [`${orgId} user ${userId}`] : []),
  ];
}
