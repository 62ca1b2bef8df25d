import { type ServerResponse, STATUS_CODES } from "node:http";
import { Readable } from "node:stream";
import { finished, pipeline } from "node:stream/promises";
import type { Answer } from "./answer.ts";
import type { Damage, Delivery, Slowness } from "./faults.ts";

/** Sends a delivery, whole or damaged, and returns whether it has an answer. */
export async function send(response: ServerResponse, delivery: Delivery): Promise<boolean> {
  // The client may have disconnected while a fault held the answer.
  if (response.destroyed) return false;
  if ("answer" in delivery) {
    // A damaged answer ends early, as does one whose client disconnects.
    await sendAnswer(response, delivery.answer, delivery.damage).catch(() => {});
    return true;
  }
  if (delivery.nothing === "cut") response.destroy();
  return false;
}

function sendAnswer(
  response: ServerResponse,
  { status, headers, body }: Answer,
  damage: Damage | Slowness | undefined,
): Promise<void> {
  const bytes = Buffer.from(bodyText(body));
  const half = bytes.subarray(0, bytes.length / 2);
  // A 204 has no Content-Length.
  const head = (length: number) =>
    response.writeHead(status, { ...headers, ...(status !== 204 && { "Content-Length": length }) });
  const cut = () => response.destroy();
  if (typeof damage === "object") {
    if ("drip" in damage) {
      head(bytes.length).flushHeaders();
      return pipeline(dripping(bytes, damage.drip), response);
    }
    response.writeHead(status, headers);
    return pipeline(Readable.from(padded(bytes, damage.huge)), response);
  }
  switch (damage) {
    case undefined:
      head(bytes.length).end(bytes);
      break;
    case "half head":
      response.socket?.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Ty`, cut);
      break;
    case "head alone":
      head(bytes.length).flushHeaders();
      response.socket?.destroySoon();
      break;
    case "half body":
    case "all but a byte":
      head(bytes.length).write(damage === "half body" ? half : bytes.subarray(0, -1), cut);
      break;
    case "no last chunk":
      response.writeHead(status, headers).write(bytes, cut);
      break;
    case "short length":
      head(half.length).end(half);
      break;
    case "long length":
      head(bytes.length + 1).write(bytes);
      break;
  }
  return finished(response);
}

async function* dripping(bytes: Buffer, next: (sent: number) => unknown) {
  for (let sent = 0; sent < bytes.length; sent++) {
    await next(sent);
    yield bytes.subarray(sent, sent + 1);
  }
}

const spaces = Buffer.alloc(65_536, " ");

function* padded(bytes: Buffer, padding: number) {
  for (let left = padding; left > 0; left -= spaces.length) yield spaces.subarray(0, left);
  yield bytes;
}

/** The text of a body: a string is itself, anything else is JSON. */
export function bodyText(body: unknown, pretty = false): string {
  if (body === undefined) return "";
  return typeof body === "string" ? body : JSON.stringify(body, null, pretty ? 2 : undefined);
}
