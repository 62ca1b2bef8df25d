import { expect, it } from "vitest";
import { Condenser } from "./filter-cli-output.ts";

function condensed(output: string): string[] {
  const condenser = new Condenser();
  return output.split("\n").filter((line) => condenser.keeps(line));
}

const INVITATION = "pulumi-nodejs:dynamic/mongodbatlas:OrgInvitation";

it("keeps how each step ended, not that it began", () => {
  const output = `Updating (dev):

 +  pulumi:pulumi:Stack invitations-dev creating (0s) 
@ updating....
 +- ${INVITATION} edsger replacing (0s) [diff: -status]
 +- ${INVITATION} edsger replaced (0.00s) [diff: -status]
 ++ ${INVITATION} edsger creating replacement (0s)
 ++ ${INVITATION} edsger created replacement (0.02s)
 ~  ${INVITATION} grace updated (0.01s) [diff: ~roles]
    ${INVITATION} joan  
Duration: 2s
`;
  expect(condensed(output)).toEqual([
    "Updating (dev):",
    ` +- ${INVITATION} edsger replaced (0.00s) [diff: -status]`,
    ` ++ ${INVITATION} edsger created replacement (0.02s)`,
    ` ~  ${INVITATION} grace updated (0.01s) [diff: ~roles]`,
    "Duration: 2s",
  ]);
});

it("keeps a message once, in the diagnostics", () => {
  const output = ` -  ${INVITATION} ada deleting (0s) error: ada has accepted
 -  ${INVITATION} ada **deleting failed** error: ada has accepted
    pulumi:pulumi:Stack invitations-dev **failed** 1 error
Diagnostics:
  ${INVITATION} (ada):
    error: ada has accepted`;
  expect(condensed(output)).toEqual([
    "Diagnostics:",
    `  ${INVITATION} (ada):`,
    "    error: ada has accepted",
  ]);
});

it("keeps one of the two rows by which a preview names the stack, and sees through colours", () => {
  const row = ` \x1b[32m+ \x1b[0m pulumi:pulumi:Stack invitations-dev \x1b[32mcreate\x1b[0m `;
  expect(condensed(`${row}\n${row}`)).toEqual([row]);
});

it("keeps of a detailed plan what changes and whose it is", () => {
  const output = `~ pulumi:pulumi:Stack: (refresh)
    [urn=urn:pulumi:dev::invitations::pulumi:pulumi:Stack::invitations-dev]
    ~ ${INVITATION}: (refresh)
        [id=6b03e7949adfe77e0880fb88]
        [urn=urn:pulumi:dev::invitations::${INVITATION}::ada]
        --outputs:--
      ~ status: "PENDING" => "ACCEPTED"`;
  expect(condensed(output)).toEqual([
    "~ pulumi:pulumi:Stack: (refresh)",
    `    ~ ${INVITATION}: (refresh)`,
    `        [urn=urn:pulumi:dev::invitations::${INVITATION}::ada]`,
    '      ~ status: "PENDING" => "ACCEPTED"',
  ]);
});
