import { createHash, randomBytes } from "node:crypto";
import { lstatSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

// No run takes so long: an older file is of a process that was killed, and whose pid another process has by now.
const MAX_AGE_MS = 24 * 3_600_000;

// The files of all instances: they share one listener, as Node.js warns of more than ten.
const announced = new Set<string>();
process.on("exit", withdrawAll);

/**
 * What the processes of one user on one machine tell each other, each of which is a plugin of Pulumi: who else is
 * busy with a topic. A topic is any text, such as the host of a server.
 *
 * An announcement is an empty file, named after the topic, the process and the instance. It ends with `withdraw` or
 * with the process. Where the folder cannot be used there are no others: nothing here ever throws.
 */
export class Peers {
  readonly #folder: string;
  readonly #id = `${process.pid}-${randomBytes(8).toString("hex")}`;

  /** @param folder - Shared by those who are to know of each other; for tests. */
  constructor(folder = defaultFolder()) {
    this.#folder = folder;
  }

  /** Tells the others that this instance is busy with the topic. Once is enough. */
  announce(topic: string): void {
    const file = this.#fileOf(topic);
    attempt(() => {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      if (!isOwn(this.#folder)) return;
      // Nobody may ever ask for the topics of those who were killed.
      if (announced.size === 0) this.#files().forEach(isAlive);
      writeFileSync(file, "");
      announced.add(file);
    }, undefined);
  }

  /** Takes the announcement back, if there is one. */
  withdraw(topic: string): void {
    const file = this.#fileOf(topic);
    if (announced.delete(file)) remove(file);
  }

  /** How many others are busy with the topic: instances of other processes, and other instances of this one. */
  others(topic: string): number {
    return this.#filesOfOthers(topic).length;
  }

  /** The place of this instance among all that are busy with the topic: 0 for the first, and another for each. */
  place(topic: string): number {
    const own = this.#fileOf(topic);
    return this.#filesOfOthers(topic).filter((file) => file < own).length;
  }

  #filesOfOthers(topic: string): string[] {
    const own = this.#fileOf(topic);
    const prefix = join(this.#folder, `${hash(topic)}-`);
    return this.#files().filter((file) => file.startsWith(prefix) && file !== own && isAlive(file));
  }

  #files(): string[] {
    const names = attempt(() => (isOwn(this.#folder) ? readdirSync(this.#folder) : []), []);
    return names.map((name) => join(this.#folder, name));
  }

  #fileOf(topic: string): string {
    return join(this.#folder, `${hash(topic)}-${this.#id}`);
  }
}

function defaultFolder(): string {
  // Windows has no user ids, and a temporary folder for each user.
  return join(tmpdir(), `pulumi-atlas-invitations-${process.getuid?.() ?? "user"}`);
}

/** In the folder of another user there could be files that keep this one waiting. */
function isOwn(folder: string): boolean {
  const { uid } = lstatSync(folder);
  return uid === (process.getuid?.() ?? uid);
}

/** Whether its process still runs; the file of one that does not is removed. */
function isAlive(file: string): boolean {
  const pid = Number(file.split("-").at(-2));
  const age = attempt(() => Date.now() - statSync(file).mtimeMs, Number.POSITIVE_INFINITY);
  if (age < MAX_AGE_MS && isRunning(pid)) return true;
  remove(file);
  return false;
}

function isRunning(pid: number): boolean {
  return attempt(() => process.kill(pid, 0), false);
}

function withdrawAll(): void {
  for (const file of announced) remove(file);
}

function remove(file: string): void {
  attempt(() => rmSync(file), undefined);
}

function attempt<Result>(act: () => Result, otherwise: Result): Result {
  try {
    return act();
  } catch {
    return otherwise;
  }
}

/** A topic may hold what no file name can. */
function hash(topic: string): string {
  return createHash("sha256").update(topic).digest("hex").slice(0, 16);
}
