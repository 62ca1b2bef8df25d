/** How many invitations Atlas accepts in a window of time. */
export interface InvitationRate {
  invitations: number;
  windowMs: number;
}

/** The rate that the throttle's answer names, in its sentence or in its parameters; ten a minute where it names none. */
export function parseInvitationRate(parameters: readonly unknown[], detail: string): InvitationRate {
  const named = /(\d+) invitations per (\d+) minute/.exec(detail)?.slice(1) ?? parameters;
  // Recorded parameters are strings or numbers.
  const [invitations, minutes] = named.map((count) => (typeof count === "string" ? Number(count) : count));
  const isNamed = isCount(invitations) && isCount(minutes);
  return isNamed ? { invitations, windowMs: minutes * 60_000 } : { invitations: 10, windowMs: 60_000 };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}
