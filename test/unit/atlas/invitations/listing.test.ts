import * as v from "valibot";
import { expect, test } from "vitest";
import { AtlasId, parseListing } from "../../../../provider/atlas/invitations/listing.ts";
import { ada, bob, member } from "./invitations-fixture.ts";

test.each([
  ["6a793f89c0eb9e7a177165b6", true],
  ["6A793F89C0EB9E7A177165B6", true],
  ["", false],
  ["..", false],
  ["../users", false],
  ["6a793f89c0eb9e7a177165b", false],
  ["6a793f89c0eb9e7a177165b6/..", false],
  ["%2e%2e", false],
  [null, false],
  [7, false],
])("%j is an id of Atlas: %s", (id, expected) => {
  expect(v.is(AtlasId, id)).toBe(expected);
});

test("returns the usable entries, and names the others as far as they say whom they are about", () => {
  const Entry = v.object({ id: v.string(), username: v.string(), roles: v.array(v.string()) });
  const entries = [
    { id: "1", username: "Ada@example.com", roles: null },
    { id: "2", username: null, roles: [] },
    { id: 3, username: bob, roles: [] },
    { id: "4", username: "eve@example.com", roles: ["ORG_OWNER"] },
    null,
    "text",
  ];

  const listing = parseListing(entries, Entry, ({ username, roles }) => ({
    ...member,
    orgMembershipStatus: "ACTIVE",
    username,
    roles,
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
