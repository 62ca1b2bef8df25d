import type { Subject } from "./subject.ts";

/** Something that the user should know although no operation failed. */
export interface Notice {
  /** `debug`: a line for each request, on demand. */
  severity: "debug" | "info" | "warning";
  /** One or more sentences, in words that fit every tool. */
  text: string;
  /** Absent where the notice is about several people, or about a list. */
  subject?: Subject | undefined;
}

/** Shows a notice to the user. */
export type Notify = (notice: Notice) => void;
