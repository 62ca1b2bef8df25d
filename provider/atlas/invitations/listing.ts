import * as v from "valibot";
import type { Listing, Person } from "./invitations-api.ts";

/** One of Atlas's ids: 24 hexadecimal digits. Any other text must never become part of a path. */
export const AtlasId = v.pipe(v.string(), v.regex(/^[0-9a-f]{24}$/i));

/** Parses a list entry by entry, so that the entries that can be used are returned. */
export function parseListing<Schema extends v.GenericSchema>(
  entries: readonly unknown[],
  schema: Schema,
  personOf: (entry: v.InferOutput<Schema>) => Person,
): Listing {
  const listing: Listing = { people: [], unusable: [] };
  for (const entry of entries) {
    const parsed = v.safeParse(schema, entry);
    if (parsed.success) {
      listing.people.push(personOf(parsed.output));
    } else {
      // The issue's own message quotes the answer.
      const place = v.getDotPath(parsed.issues[0]);
      const { username, id } = v.parse(Identity, entry);
      listing.unusable.push({
        username: username?.toLowerCase(),
        id,
        reason: place ? `its property ${place} is missing or of another type` : "it is not an object",
      });
    }
  }
  return listing;
}

const text = v.fallback(v.optional(v.string()), undefined);
const Identity = v.fallback(v.object({ username: text, id: text }), { username: undefined, id: undefined });
