import { describe, expect, test } from "vitest";
import {
  type Declaration,
  Declarations,
  type PersonIdentity,
} from "../../../provider/lifecycle/declarations.ts";

const orgId = "32b6e34b3d91647abb20e7b8";
const ada: PersonIdentity = { orgId, username: "ada@example.com", invitationId: "i1", userId: "u1" };
const grace: PersonIdentity = { orgId, username: "grace@example.com" };

const declarationBy = (declaredBy: string): Declaration => ({
  inputs: { orgId, username: "", roles: ["ORG_MEMBER"], onAccepted: "fail", reinviteExpired: false },
  declaredBy,
});

describe("a person whom a resource declares", () => {
  test.each([
    ["by the address in any letter case", { orgId, username: "ADA@example.com" }],
    ["by the invitation under another address", { orgId, username: "a@example.com", invitationId: "i1" }],
    ["by the user under another address", { orgId, username: "a@example.com", userId: "u1" }],
    ["by the address with other ids", { ...ada, invitationId: "i2", userId: "u2" }],
  ])("is found %s", (_, person) => {
    const declarations = new Declarations();
    const declaration = declarationBy("a");
    declarations.hold(ada, declaration);
    expect(declarations.find(person)).toBe(declaration);
  });

  test.each([
    ["another person", grace],
    ["the same address in another organization", { ...ada, orgId: "5f0000000000000000000009" }],
    ["an invitation whose id is a user's", { orgId, username: "a@example.com", invitationId: "u1" }],
    ["a user whose id is an invitation's", { orgId, username: "a@example.com", userId: "i1" }],
  ])("is not %s", (_, person) => {
    const declarations = new Declarations();
    declarations.hold(ada, declarationBy("a"));
    expect(declarations.find(person)).toBeUndefined();
  });

  test("is of the resource that declared them last", () => {
    const declarations = new Declarations();
    const last = declarationBy("b");
    declarations.hold(ada, declarationBy("a"));
    declarations.hold({ orgId, username: ada.username }, last);
    expect(declarations.find(ada)).toBe(last);
  });

  test("is found by nothing once they are released, by whatever names them", () => {
    for (const person of [
      { orgId, username: ada.username },
      { ...grace, userId: "u1" },
    ]) {
      const declarations = new Declarations();
      const other = declarationBy("g");
      declarations.hold(ada, declarationBy("a"));
      declarations.hold({ ...grace, username: "g@example.com" }, other);
      declarations.release(person);
      expect(declarations.find(ada)).toBeUndefined();
      expect(declarations.find({ ...grace, invitationId: "i1" })).toBeUndefined();
      expect(declarations.find({ ...grace, username: "g@example.com" })).toBe(other);
    }
  });

  test("is not touched by the release of somebody else", () => {
    const declarations = new Declarations();
    const declaration = declarationBy("a");
    declarations.hold(ada, declaration);
    declarations.release(grace);
    expect(declarations.find(ada)).toBe(declaration);
  });
});

describe("other processes", () => {
  test("are told who is held and released, by organization and address", () => {
    const told: string[] = [];
    const declarations = new Declarations({
      announce: (topic) => told.push(`announce ${topic}`),
      withdraw: (topic) => told.push(`withdraw ${topic}`),
      others: () => 0,
    });
    declarations.hold({ ...ada, username: "Ada@example.com" }, declarationBy("a"));
    declarations.release(ada);
    expect(told).toEqual([`announce ${orgId} ada@example.com`, `withdraw ${orgId} ada@example.com`]);
  });

  test("declare a person as long as one of them says so", () => {
    let others = 1;
    const exchange = { announce: () => {}, withdraw: () => {}, others: () => others };
    const declarations = new Declarations(exchange);
    expect(declarations.isDeclaredElsewhere(ada)).toBe(true);
    others = 0;
    expect(declarations.isDeclaredElsewhere(ada)).toBe(false);
    expect(new Declarations().isDeclaredElsewhere(ada)).toBe(false);
  });
});
