import type { Person } from "../atlas/organization.ts";
import { grantsTheSame } from "./access.ts";
import type { Atlas } from "./atlas.ts";
import type { Properties, Resource } from "./engine-model.ts";
import { Violation } from "./violation.ts";
import { type Declared, declaredIn, unlikeDeclared, unlikeState } from "./watch.ts";

/** How a story ended, once an `up` and a refresh found nothing to do any more. */
export interface Ending {
  atlas: Atlas;
  program: Map<string, Properties>;
  stack: Map<string, Resource>;
  /** What the last `up` could not do, by resource. */
  errors: Map<string, Error>;
}

/** Somebody declared or stored, and what Atlas says about them. */
interface Subject {
  properties: Declared;
  person: Person | undefined;
}

/** Checks that all is as declared, or that the lifecycle has an error for it; and that the state is true. */
export function checkEnding({ atlas, program, stack, errors }: Ending): void {
  const subject = (found: Properties | undefined): Subject | undefined => {
    const properties = found && declaredIn(found);
    return properties && { properties, person: atlas.find(properties.orgId, properties.username) };
  };
  for (const name of new Set([...program.keys(), ...stack.keys()])) {
    const resource = stack.get(name);
    const declared = subject(program.get(name));
    const stored = subject(resource?.pendingReplacement ? undefined : resource?.outputs);
    const error = errors.get(name);
    const wrong =
      (stored && unlikeState(resource?.outputs, stored.person)) ??
      (error ? unjustified(error.message, declared, stored) : unfulfilled(declared, stored));
    if (wrong) throw new Violation(`${name}, in the end: ${wrong}`);
  }
}

/** What is wrong when nothing failed. */
function unfulfilled(declared: Subject | undefined, stored: Subject | undefined): string | undefined {
  if (!declared) return `${stored?.properties.username} is not declared, and still in the state`;
  const { username, onAccepted, reinviteExpired } = declared.properties;
  if (stored?.properties.username !== username.toLowerCase()) return `${username} is not in the state`;
  const isKept = grantsTheSame(stored.properties, declared.properties);
  switch (declared.person?.status) {
    case "INVITATION_EXPIRED":
      if (reinviteExpired) return `${username} was not invited again`;
      return isKept ? undefined : `a change of ${username} was swallowed`;
    case "INVITATION_REJECTED":
      return isKept ? undefined : `a change of ${username} was swallowed`;
    case "ACTIVE":
      if (onAccepted !== "manage") return isKept ? undefined : `a change of ${username} was swallowed`;
  }
  return unlikeDeclared(declared.properties, declared.person, "create");
}

/** What is wrong about an error that does not go away: it is not the one that the lifecycle has for this. */
function unjustified(
  message: string,
  declared: Subject | undefined,
  stored: Subject | undefined,
): string | undefined {
  const isReplaced = declared?.properties.username.toLowerCase() !== stored?.properties.username;
  const onAccepted = declared?.properties.onAccepted;
  const due = !stored
    ? declared?.person?.status === "ACTIVE" && onAccepted === "fail" && "is already a member"
    : isReplaced
      ? // The stored choice counts, for as long as no change of it is stored.
        stored.person?.status === "ACTIVE" && stored.properties.onAccepted === "fail" && "be deleted. Set"
      : stored.person?.status === "ACTIVE"
        ? onAccepted !== "manage" && "be changed. Set"
        : stored.person?.status === "INVITATION_EXPIRED"
          ? !declared?.properties.reinviteExpired && "expired on"
          : stored.person?.status === "INVITATION_REJECTED" && "was rejected";
  return due && message.includes(due) ? undefined : `it fails for good: ${message}`;
}
