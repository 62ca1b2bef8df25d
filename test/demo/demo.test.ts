import { expect, it } from "vitest";
import { findMismatch } from "./chapter-runner.ts";
import { filterCliOutput } from "./filter-cli-output.ts";
import { requestLines } from "./request-lines.ts";

const TYPE = "pulumi-nodejs:dynamic/mongodbatlas:OrgInvitation";

it.each([
  ["hides", "a row that starts an operation", ` +- ${TYPE} edsger replacing (0s) [diff: -status]`],
  ["hides", "an unchanged resource", `    ${TYPE} joan  `],
  ["hides", "an error that the diagnostics repeat", ` -  ${TYPE} ada **deleting failed** error: accepted`],
  ["hides", "an id", "        [id=6b03e7949adfe77e0880fb88]"],
  ["shows", "a row that ends an operation", ` +- ${TYPE} edsger replaced (0.00s) [diff: -status]`],
  ["shows", "an error in the diagnostics", "    error: ada has accepted"],
  ["shows", "the resource in a detailed plan", `    [urn=urn:pulumi:dev::invitations::${TYPE}::ada]`],
  ["shows", "a changed property", '  ~ status: "PENDING" => "ACCEPTED"'],
])("%s %s of the CLI's output", (verb, _, line) => {
  expect(filtered(`${line}\nend\n`)).toEqual(verb === "shows" ? [line, "end"] : ["end"]);
});

it("shows identical rows once, with their colours", () => {
  const row = " \x1b[32m+ \x1b[0m pulumi:pulumi:Stack invitations-dev \x1b[32mcreate\x1b[0m ";
  expect(filtered(`${row}\n${row}\n`)).toEqual([row]);
});

const PATH = "/api/atlas/v2/orgs/32b6e34b3d91647abb20e7b8/invites";
const ID = "5f0000000000000000000001";
const request = (method: string, path: string, status: number, more = {}) => {
  return { method, path, status, authenticated: true, challenge: false, ...more };
};
const LIST = request("GET", `${PATH}?pageNum=1`, 401, { challenge: true });
const INVITE = request("POST", PATH, 200, { body: { username: "ada@example.com" } });
const CANCEL = request("DELETE", `${PATH}/${ID}`, 204);
const REFUSED = request("DELETE", `${PATH}/${ID}`, 400, { errorCode: "INVALID_INVITATION_ID" });

it("prints a request with its body, outcome and shortened ids, and similar requests as one line", () => {
  expect(requestLines([LIST, INVITE, REFUSED, CANCEL, CANCEL])).toEqual([
    "GET /api/atlas/v2/orgs/32b6…e7b8/invites?… -> 401 challenge",
    'POST /api/atlas/v2/orgs/32b6…e7b8/invites {"username":"ada@example.com"} -> 200',
    "DELETE /api/atlas/v2/orgs/32b6…e7b8/invites/5f00…0001 -> 400 INVALID_INVITATION_ID",
    "DELETE /api/atlas/v2/orgs/32b6…e7b8/invites/… -> 204, 2 times",
  ]);
});

it.each([
  [undefined, { requests: "2 DELETE invites, POST invites" }, 0, [LIST, CANCEL, INVITE, REFUSED, CANCEL]],
  [undefined, { fails: true, prints: ["printed"] }, 255, []],
  ["ended with 255", {}, 255, []],
  ["ended with 0", { fails: true }, 0, []],
  ["did not print absent", { prints: ["printed", "absent"] }, 0, []],
  ["sent to Atlas: POST invites; expected: no request", {}, 0, [INVITE]],
])("compares a step with its result: %s", (problem, expected, exitCode, requests) => {
  expect(
    findMismatch({ command: "up", ...expected }, { exitCode, output: "\x1b[1mprint\x1b[0med" }, requests),
  ).toBe(problem);
});

function filtered(output: string): string[] {
  const lines: string[] = [];
  const write = filterCliOutput((line) => lines.push(line));
  // A line can come in two parts.
  for (const part of [output.slice(0, 3), output.slice(3)]) write(part);
  return lines;
}
