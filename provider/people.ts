import type { PeopleList, Person } from "./invitations-api.ts";

const SHARED_FOR_MS = 30_000;

interface Listing {
  asked: number;
  askedAt: number;
  people: Promise<Person[]>;
}

/**
 * Looks people up in the lists of their organization, one request for all who ask.
 *
 * A list serves every look-up for 30 seconds after it was asked for, except for a person about whom it can be
 * wrong: one written to, or doubted, since. A list that failed serves only those who waited for it.
 */
export class People {
  readonly #lists: readonly PeopleList[];
  readonly #now: () => number;
  readonly #listings = new Map<string, Listing>();
  readonly #doubted = new Map<string, number>();
  #count = 0;

  constructor(lists: readonly PeopleList[], now: () => number = Date.now) {
    this.#lists = lists;
    this.#now = now;
  }

  /** What Atlas says about the address, in any letter case; `undefined` where it does not know it. */
  async find(orgId: string, username: string): Promise<Person | undefined> {
    const name = username.toLowerCase();
    for (const [index, list] of this.#lists.entries()) {
      const people = await this.#listing(
        `${index} ${orgId}`,
        () => list(orgId),
        this.#doubted.get(`${orgId} ${name}`),
      );
      const person = people.find((person) => person.username === name);
      if (person) return person;
    }
    return undefined;
  }

  /** What was listed before now is no longer taken for this person. */
  doubt(orgId: string, username: string): void {
    this.#doubted.set(`${orgId} ${username.toLowerCase()}`, ++this.#count);
  }

  #listing(key: string, load: () => Promise<Person[]>, notBefore = 0): Promise<Person[]> {
    const known = this.#listings.get(key);
    if (known && known.asked > notBefore && this.#now() - known.askedAt < SHARED_FOR_MS) return known.people;
    const listing: Listing = { asked: ++this.#count, askedAt: this.#now(), people: load() };
    this.#listings.set(key, listing);
    listing.people.catch(() => {
      if (this.#listings.get(key) === listing) this.#listings.delete(key);
    });
    return listing.people;
  }
}
