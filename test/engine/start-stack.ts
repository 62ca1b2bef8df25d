import { inject } from "vitest";
import { type ApiVersion, V2 } from "./expected-requests.ts";
import { createStack, type InvitationStack, type StackOptions } from "./invitation-stack.ts";

/** Creates a stack in the environment of the global setup. */
export function startStack(version: ApiVersion = V2, options: StackOptions = {}): Promise<InvitationStack> {
  const engine = inject("engine");
  if ("unavailable" in engine) throw new Error(engine.unavailable);
  return createStack({ engine, packageFolder: inject("packageFolder") }, version, options);
}
