import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { KeyPair } from "../support/simulated-atlas/digest.ts";
import type { InvitationStack } from "./invitation-stack.ts";

/** Every file that Pulumi keeps for the stack: state, history, backups, configuration, logs; and more texts. */
export async function storedTexts({ workspace, key }: InvitationStack, ...more: string[]): Promise<string> {
  const entries = await readdir(workspace.home, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const texts = await Promise.all(
    files.map(({ parentPath, name }) => readFile(join(parentPath, name), "utf8")),
  );
  // Atlas itself tells who invited: of an API key, its public half (recorded).
  const inviter = new RegExp(`(inviterUsername\\\\*"\\s*:\\s*\\\\*")${key.publicKey}`, "g");
  return [...texts, ...more].join("\n").replace(inviter, "$1");
}

/** What must not be found: each half of the key, plain or encoded, and what a digest makes of both. */
export function formsOf({ publicKey, privateKey }: KeyPair): string[] {
  return [
    ...[publicKey, privateKey, `${publicKey}:${privateKey}`].flatMap((text) => [
      text,
      Buffer.from(text).toString("hex"),
      ...base64Forms(text),
    ]),
    createHash("md5").update(`${publicKey}:MMS Public API:${privateKey}`).digest("hex"),
  ];
}

/** What Base64 makes of the text inside a longer one: three forms, without the digits it shares with its neighbours. */
function base64Forms(text: string): string[] {
  return [0, 1, 2].map((before) => {
    const padded = Buffer.from(" ".repeat(before) + text).toString("base64");
    return padded.slice(Math.ceil((before * 4) / 3), -4);
  });
}
