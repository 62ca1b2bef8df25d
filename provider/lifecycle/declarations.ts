import type { OrgInvitationInputs } from "./org-invitation-state.ts";

/** Who a person is: the address, and Atlas's ids where they are known. */
export interface PersonIdentity {
  orgId: string;
  username: string;
  invitationId?: string | undefined;
  userId?: string | undefined;
}

/** What tells one invitation of a person from another. */
export type SentInvitation = Pick<PersonIdentity, "invitationId" | "userId"> & {
  createdAt?: string | undefined;
};

/** The resource that declares a person. */
export interface Declaration {
  inputs: OrgInvitationInputs;
  /** Which resource it is; absent where it was stored by 0.1.0, or is not told. */
  declaredBy?: string | undefined;
  /** The invitation that was sent when the resource was created in this run; absent where it took over what there was. */
  sent?: SentInvitation | undefined;
  /** Whether the resource could not be created, so that the state does not hold it. */
  isFailed?: boolean;
}

/** Tells other processes of the same run whom this one declares, and whom they do. */
export interface DeclarationExchange {
  announce(topic: string): void;
  withdraw(topic: string): void;
  others(topic: string): number;
}

/**
 * The people whom resources of this run declare. Pulumi creates before it deletes where a resource is renamed, moved
 * or replaced, so that a delete can meet a person whom another resource has just taken over. What Pulumi deletes
 * because it left the program comes after the program has ended: every resource that is still declared, and targeted,
 * has been checked by then (pulumi engine, deployment_executor.go).
 */
export class Declarations {
  readonly #byKey = new Map<string, Declaration>();
  readonly #exchange: DeclarationExchange | undefined;

  constructor(exchange?: DeclarationExchange) {
    this.#exchange = exchange;
  }

  /** A resource is about to be created, anew where it is replaced, or was deleted: it holds nobody now. */
  release(person: PersonIdentity): void {
    const declaration = this.find(person);
    for (const [key, other] of this.#byKey) {
      if (other === declaration) this.#byKey.delete(key);
    }
    this.#exchange?.withdraw(addressKey(person));
  }

  /** A resource was created or updated, or is kept as it is. */
  hold(person: PersonIdentity, declaration: Declaration): void {
    for (const key of identityKeys(person)) this.#byKey.set(key, declaration);
    this.#exchange?.announce(addressKey(person));
  }

  /** The resource of this run that declares the person. */
  find(person: PersonIdentity): Declaration | undefined {
    for (const key of identityKeys(person)) {
      const declaration = this.#byKey.get(key);
      if (declaration) return declaration;
    }
    return undefined;
  }

  /** Whether a resource of another provider, and so of another process, declares the person in this run. */
  isDeclaredElsewhere(person: PersonIdentity): boolean {
    return (this.#exchange?.others(addressKey(person)) ?? 0) > 0;
  }
}

/** By which a person is told from another within an organization, where no id is known. */
export function addressKey({ orgId, username }: PersonIdentity): string {
  return `${orgId} ${username.toLowerCase()}`;
}

function identityKeys(person: PersonIdentity): string[] {
  const { orgId, invitationId, userId } = person;
  return [
    addressKey(person),
    ...(invitationId ? [`${orgId} invitation ${invitationId}`] : []),
    ...(userId ? [`${orgId} user ${userId}`] : []),
  ];
}
