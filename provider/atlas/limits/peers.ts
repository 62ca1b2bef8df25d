import { createHash, randomBytes } from "node:crypto";
import { lstatSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

// A run ends sooner: an older file belongs to a process that was killed, whose pid may be another process's by now.
const MAX_AGE_MS = 24 * 3_600_000;

/**
 * Announcements between the processes of one user on one machine, each of which runs this package: how many others are
 * busy with a topic. A topic is any text, such as the host of a server.
 *
 * An announcement is an empty file in a shared folder, named after the topic, the process and the instance. It ends with
 * `withdraw` or with the process. Where the folder cannot be used, there are no others; no method throws.
 */
export class Peers {
  readonly #folder: string;
  readonly #id = `${process.pid}-${randomBytes(8).toString("hex")}`;
  readonly #announced = new Set<string>();

  /** @param folder - Shared by the processes that are to know of each other. @default one for each user */
  constructor(folder = defaultFolder()) {
    this.#folder = folder;
  }

  /** Announces that this instance is busy with the topic, until it is withdrawn. */
  announce(topic: string): void {
    const file = this.#fileOf(topic);
    attempt(() => {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      if (!isOwn(this.#folder)) return;
      // Removes the files of processes that were killed.
      if (this.#announced.size === 0) this.#files().forEach(isAlive);
      writeFileSync(file, "");
      if (this.#announced.size === 0) process.once("exit", this.#withdrawAll);
      this.#announced.add(file);
    }, undefined);
  }

  /** Withdraws the announcement, if there is one. */
  withdraw(topic: string): void {
    const file = this.#fileOf(topic);
    if (!this.#announced.delete(file)) return;
    remove(file);
    if (this.#announced.size === 0) process.off("exit", this.#withdrawAll);
  }

  /** How many others are busy with the topic: instances of other processes, and other instances of this one. */
  others(topic: string): number {
    return this.#filesOfOthers(topic).length;
  }

  /** The position of this instance among all that are busy with the topic, from 0. */
  place(topic: string): number {
    const own = this.#fileOf(topic);
    return this.#filesOfOthers(topic).filter((file) => file < own).length;
  }

  readonly #withdrawAll = (): void => {
    for (const file of this.#announced) remove(file);
  };

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

/** Another user could put files into their own folder that delay this process. */
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

function remove(file: string): void {
  attempt(() => rmSync(file), undefined);
}

function attempt<Result>(run: () => Result, fallback: Result): Result {
  try {
    return run();
  } catch {
    return fallback;
  }
}

/** A topic may hold characters that a file name cannot. */
function hash(topic: string): string {
  return createHash("sha256").update(topic).digest("hex").slice(0, 16);
}
