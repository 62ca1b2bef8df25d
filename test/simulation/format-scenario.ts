import { troubleText } from "./faults.ts";
import { address } from "./people.ts";
import type { Act, Command, Edit, Story } from "./scenario.ts";

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
  const world = `${generation}, ${credentials}, ${organizations} organization(s), ${settingsText(settings)}`;
  return [
    world,
    ...program.map((declaration, slot) => editText({ edit: "declare", slot, declaration })),
    ...(isUp ? ["$  pulumi up"] : []),
    ...rounds.flatMap(({ stack, edits, acts, command }) => [
      ...(stack === 1 ? ["(in the other stack)"] : []),
      ...edits.map(editText),
      ...acts.map((act) => `** ${actText(act)}`),
      ...commandText(command),
    ]),
  ];
}

function settingsText(settings: Story["settings"]): string {
  return JSON.stringify(settings, (_, value) => (typeof value === "function" ? value.name : value));
}

function editText(edit: Edit): string {
  if (edit.edit === "remove") return `-  resource${edit.slot}`;
  if (edit.edit === "rename") return `>  resource${edit.slot} is renamed to resource${edit.to}`;
  if (edit.edit === "shift") return `>  every number grows by ${edit.by}`;
  const { person, shouted, moved, ...args } = edit.edit === "declare" ? edit.declaration : edit.changes;
  const username = person === undefined ? "" : ` ${address(person, { shouted, moved })}`;
  return `${edit.edit === "declare" ? "+" : "~"}  resource${edit.slot}${username} ${JSON.stringify(args)}`;
}

function actText(act: Act): string {
  switch (act.deed) {
    case "wait":
      return `wait ${act.minutes} minutes`;
    case "retire the invitations API":
    case "retire some of the invitations API":
    case "expire the tokens":
      return act.deed;
    default:
      return `${act.deed} somebody (${act.whom})${/invite|add|change|join/.test(act.deed) ? ` ${JSON.stringify(act.access)}` : ""}`;
  }
}

function commandText(command: Command): string[] {
  const { parallel, continueOnError, plansFirst, replaced, targets = [], troubles, acts, killed } = command;
  const flags = [
    ...(continueOnError ? ["--continue-on-error"] : []),
    ...(plansFirst ? ["(plans first)"] : []),
    ...replaced.map((slot) => `--target-replace resource${slot}`),
    ...targets.map((slot) => `--target resource${slot}`),
  ];
  return [
    ["$  pulumi", command.command, "--parallel", parallel, ...flags].join(" "),
    ...troubles.map(({ at, spares, trouble }) => {
      return `   from request ${at} on${spares === "GET" ? ", but no GET" : ""}: ${troubleText(trouble)}`;
    }),
    ...acts.map(({ at, act }) => `   ${at === "a wait" ? "after" : "at request"} ${at}: ** ${actText(act)}`),
    ...(killed ? [`   killed ${killed.when} request ${killed.at} is done`] : []),
  ];
}
