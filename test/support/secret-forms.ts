import { createHash } from "node:crypto";
import type { KeyPair } from "./simulated-atlas/digest.ts";

/** Forms of a key that must not be found: each half as text, hexadecimal and Base64, and the digest hash of both. */
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

/** The Base64 of the text inside a longer one: by offset, without the digits that it shares with its neighbours. */
function base64Forms(text: string): string[] {
  return [0, 1, 2].map((before) => {
    const padded = Buffer.from(" ".repeat(before) + text).toString("base64");
    return padded.slice(Math.ceil((before * 4) / 3), -4);
  });
}
