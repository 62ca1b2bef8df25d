import * as fc from "fast-check";
import { expect, test } from "vitest";
import { AtlasError } from "../../../provider/atlas/errors.ts";
import { parseState, propertiesOf } from "../../../provider/lifecycle/stored-properties.ts";

test("a stored state is used with valid ids, or rejected with an error of this package", () => {
  const id = fc.oneof(
    fc.constantFrom("5f0000000000000000000001", "..", "", "a/b"),
    fc.string(),
    fc.jsonValue(),
  );
  const list = fc.oneof(fc.array(fc.string()), fc.jsonValue());
  const assignment = fc.record({ groupId: fc.string(), roles: list });
  const state = fc.record(
    {
      orgId: id,
      username: fc.oneof(fc.constant("ada@example.com"), fc.jsonValue()),
      roles: fc.oneof(fc.constant(["ORG_MEMBER"]), list),
      teamIds: list,
      groupRoleAssignments: fc.oneof(fc.array(assignment), fc.jsonValue()),
      invitationId: id,
      userId: id,
      __declared: fc.oneof(fc.record({ teamIds: list, roles: list }), fc.jsonValue()),
      __knownAs: fc.jsonValue(),
    },
    { requiredKeys: ["orgId", "username", "roles"] },
  );

  fc.assert(
    fc.property(state, (properties) => {
      let parsed: ReturnType<typeof parseState>;
      try {
        parsed = parseState(properties);
      } catch (error) {
        expect(error).toBeInstanceOf(AtlasError);
        return;
      }
      for (const id of [parsed.orgId, parsed.invitationId ?? parsed.orgId, parsed.userId ?? parsed.orgId]) {
        expect(id).toMatch(/^[0-9a-f]{24}$/i);
      }
      expect(parseState(propertiesOf(parsed))).toEqual(parsed);
    }),
    { numRuns: 2_000 },
  );
});
