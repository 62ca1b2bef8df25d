/** Says every 15 seconds how long `work` has taken and what it is doing. */
export async function withProgress<T>(
  say: (line: string) => void,
  doing: () => string,
  work: () => Promise<T>,
): Promise<T> {
  const started = Date.now();
  const timer = setInterval(() => say(`${doing()} (${minutes(Date.now() - started)})`), 15_000);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

/** 75,000 ms as `1:15`. */
export function minutes(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
