import { address } from "./people.ts";
import type { Act, Command, Edit, Story } from "./story.ts";
import { troubleText } from "./trouble.ts";

/** A story in short lines. */
export function storyText({
  generation,
  credentials,
  organizations,
  settings,
  program,
  isUp,
  rounds,
}: Story): string[] {
  const world = `${generation}, ${credentials}, ${organizations} organization(s), ${JSON.stringify(settings)}`;
  return [
    world,
    ...program.map((declaration, slot) => editText({ edit: "declare", slot, declaration })),
    ...(isUp ? ["$  pulumi up"] : []),
    ...rounds.flatMap(({ edits, acts, command }) => [
      ...edits.map(editText),
      ...acts.map((act) => `** ${actText(act)}`),
      ...commandText(command),
    ]),
  ];
}

function editText(edit: Edit): string {
  if (edit.edit === "remove") return `-  resource${edit.slot}`;
  const { person, shouted, ...args } = edit.edit === "declare" ? edit.declaration : edit.changes;
  const username = person === undefined ? "" : ` ${address(person, shouted)}`;
  return `${edit.edit === "declare" ? "+" : "~"}  resource${edit.slot}${username} ${JSON.stringify(args)}`;
}

function actText(act: Act): string {
  switch (act.deed) {
    case "wait":
      return `wait ${act.minutes} minutes`;
    case "retire the invitations API":
    case "expire the tokens":
      return act.deed;
    default:
      return `${act.deed} somebody (${act.whom})${/invite|add|change/.test(act.deed) ? ` ${act.roles}` : ""}`;
  }
}

function commandText({ command, parallel, continueOnError, troubles, acts, killed }: Command): string[] {
  return [
    `$  pulumi ${command} --parallel ${parallel}${continueOnError ? " --continue-on-error" : ""}`,
    ...troubles.map(({ at, spares, trouble }) => {
      return `   from request ${at} on${spares === "GET" ? ", but no GET" : ""}: ${troubleText(trouble)}`;
    }),
    ...acts.map(({ at, act }) => `   ${at === "a wait" ? "after" : "at request"} ${at}: ** ${actText(act)}`),
    ...(killed ? [`   killed ${killed.when} request ${killed.at} is done`] : []),
  ];
}
