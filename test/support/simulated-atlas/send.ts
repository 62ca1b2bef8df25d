import { type ServerResponse, STATUS_CODES } from "node:http";
import { Readable } from "node:stream";
import { finished, pipeline } from "node:stream/promises";
import { bodyText } from "./answer.ts";
import type { Delivery } from "./faults.ts";

/** Sends a delivery, whole or damaged, and returns whether it has an answer. */
export async function send(response: ServerResponse, delivery: Delivery): Promise<boolean> {
  // The client may have disconnected while a fault held the answer.
  if (response.destroyed) return false;
  if ("answer" in delivery) {
    // A damaged answer ends early, as does one whose client disconnects.
    await sendAnswer(response, delivery).catch(() => {});
    return true;
  }
  if (delivery.nothing === "cut") response.destroy();
  return false;
}

function sendAnswer(
  response: ServerResponse,
  { answer: { status, headers, body }, damage, padding = 0 }: Extract<Delivery, { answer: unknown }>,
): Promise<void> {
  const bytes = Buffer.from(bodyText(body));
  // A 204 has no Content-Length.
  const head = (length = bytes.length) =>
    response.writeHead(status, { ...headers, ...(status !== 204 && { "Content-Length": length }) });
  const cut = () => response.destroy();
  switch (damage) {
    case undefined:
      head().end(bytes);
      break;
    case "half head":
      response.socket?.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Ty`, cut);
      break;
    case "head alone":
      head().flushHeaders();
      response.socket?.destroySoon();
      break;
    case "half body":
      head().write(bytes.subarray(0, bytes.length / 2), cut);
      break;
    case "all but a byte":
      head().write(bytes.subarray(0, -1), cut);
      break;
    case "no last chunk":
      response.writeHead(status, headers).write(bytes, cut);
      break;
    case "long length":
      head(bytes.length + 1).write(bytes);
      break;
    case "huge":
      response.writeHead(status, headers);
      return pipeline(Readable.from(padded(bytes, padding)), response);
  }
  return finished(response);
}

const spaces = Buffer.alloc(65_536, " ");

function* padded(bytes: Buffer, padding: number) {
  for (let left = padding; left > 0; left -= spaces.length) yield spaces.subarray(0, left);
  yield bytes;
}
