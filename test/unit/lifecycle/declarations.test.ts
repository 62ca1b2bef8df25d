import { describe, expect, test } from "vitest";
import { type Declaration, Declarations } from "../../../provider/lifecycle/declarations.ts";

const orgId = "32b6e34b3d91647abb20e7b8";
const username = "ada@example.com";
const ada = { orgId, username, invitationId: "i1", userId: "u1" };
const grace = { orgId, username: "grace@example.com" };

const declarationBy = (declaredBy: string): Declaration => ({
  inputs: { orgId, username: "", roles: ["ORG_MEMBER"], onAccepted: "fail", reinviteExpired: false },
  declaredBy,
});

describe("the declaration of a person", () => {
  const other = { orgId, username: "a@example.com" };

  test.each([
    ["the address in any letter case", { orgId, username: "ADA@example.com" }, true],
    ["the id of the invitation under another address", { ...other, invitationId: "i1" }, true],
    ["the id of the user under another address", { ...other, userId: "u1" }, true],
    ["the address with other ids", { ...ada, invitationId: "i2", userId: "u2" }, true],
    ["another address", grace, false],
    ["the same address in another organization", { ...ada, orgId: "5f0000000000000000000009" }, false],
    ["an invitation with the id of the user", { ...other, invitationId: "u1" }, false],
    ["a user with the id of the invitation", { ...other, userId: "i1" }, false],
  ])("by %s: found %o, %s", (_, person, isFound) => {
    const declarations = new Declarations();
    const declaration = declarationBy("a");
    declarations.add(ada, declarationBy("earlier"));
    declarations.add(ada, declaration);
    expect(declarations.find(person)).toBe(isFound ? declaration : undefined);
  });

  test("is not found after a release by an id, by whatever identifies the person", () => {
    const declarations = new Declarations();
    const kept = declarationBy("g");
    declarations.add(ada, declarationBy("a"));
    declarations.add({ ...grace, username: "g@example.com" }, kept);
    declarations.remove({ ...grace, userId: "u1" });
    expect(declarations.find(ada)).toBeUndefined();
    expect(declarations.find({ ...grace, invitationId: "i1" })).toBeUndefined();
    expect(declarations.find({ ...grace, username: "g@example.com" })).toBe(kept);
  });
});
