import * as v from "valibot";
import { expect, test } from "vitest";
import { AtlasId, parseListing } from "../../../../provider/atlas/invitations/listing.ts";
import { ada, bob, member } from "./invitations-fixture.ts";

test("an id of Atlas has 24 hexadecimal digits, and nothing that could change a path", () => {
  const id = "6a793f89c0eb9e7a177165b6";
  for (const valid of [id, id.toUpperCase()]) expect(v.is(AtlasId, valid), valid).toBe(true);
  for (const invalid of ["", "..", id.slice(1), `${id}/..`, `../${id}`, "%2e%2e", null, 7]) {
    expect(v.is(AtlasId, invalid), String(invalid)).toBe(false);
  }
});

test("a list has the usable entries, and names the others as far as they say whom they are about", () => {
  const Entry = v.object({ id: v.string(), username: v.string(), roles: v.array(v.string()) });
  const entries = [
    { id: "1", username: "Ada@example.com", roles: null },
    { id: "2", username: null, roles: [] },
    { id: 3, username: bob, roles: [] },
    { id: "4", username: "eve@example.com", roles: ["ORG_OWNER"] },
    null,
    "text",
  ];

  const listing = parseListing(entries, Entry, ({ id: _, ...entry }) => ({
    ...member,
    orgMembershipStatus: "ACTIVE",
    ...entry,
  }));

  const eve = { ...member, orgMembershipStatus: "ACTIVE", username: "eve@example.com", roles: ["ORG_OWNER"] };
  expect(listing).toEqual({
    people: [eve],
    unusable: [
      { username: ada, id: "1", reason: expect.stringContaining("roles is missing") },
      { username: undefined, id: "2", reason: expect.stringContaining("username is missing") },
      { username: bob, id: undefined, reason: expect.stringContaining("id is missing") },
      { username: undefined, id: undefined, reason: "it is not an object" },
      { username: undefined, id: undefined, reason: "it is not an object" },
    ],
  });
});
