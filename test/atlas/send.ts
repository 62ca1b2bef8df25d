import type { ServerResponse } from "node:http";
import type { Answer } from "./answer.ts";
import type { Damage, Delivery } from "./faults.ts";

/** Puts a delivery on the wire, whole or damaged. */
export function send(response: ServerResponse, delivery: Delivery): void {
  // The client may have gone while a fault held the answer.
  if (response.destroyed) return;
  if ("answer" in delivery) sendAnswer(response, delivery.answer, delivery.damage);
  else if (delivery.nothing === "cut") response.destroy();
}

function sendAnswer(response: ServerResponse, { status, headers, body }: Answer, damage?: Damage): void {
  const bytes = Buffer.from(bodyText(body));
  const half = bytes.subarray(0, bytes.length / 2);
  // A 204 has no Content-Length.
  const head = (length: number) =>
    response.writeHead(status, { ...headers, ...(status !== 204 && { "Content-Length": length }) });
  switch (damage) {
    case undefined:
      head(bytes.length).end(bytes);
      break;
    case "half body":
      head(bytes.length).write(half, () => response.destroy());
      break;
    case "short length":
      head(half.length).end(half);
      break;
    case "long length":
      head(bytes.length + 1).write(bytes);
      break;
  }
}

/** The text of a body: a string is itself, anything else is JSON. */
export function bodyText(body: unknown, pretty = false): string {
  if (body === undefined) return "";
  return typeof body === "string" ? body : JSON.stringify(body, null, pretty ? 2 : undefined);
}
