/*
 * Stands in for provider/atlas/limits/peers.ts, so that the processes of one command know of each other without files.
 */

const topics = new Map<string, Set<Peers>>();

/** Every process has ended. */
export function forgetPeers(): void {
  topics.clear();
}

export class Peers {
  announce(topic: string): void {
    topics.set(topic, (topics.get(topic) ?? new Set()).add(this));
  }

  withdraw(topic: string): void {
    topics.get(topic)?.delete(this);
  }

  others(topic: string): number {
    return [...(topics.get(topic) ?? [])].filter((peer) => peer !== this).length;
  }

  place(topic: string): number {
    return Math.max(0, [...(topics.get(topic) ?? [])].indexOf(this));
  }
}
