/** What bounds an operation as a whole: its requests, look-ups, tokens and waits. */
export interface Bounds {
  /** When the operation is given up, in ms of the monotonic clock. */
  deadline: number;
  /** Aborted when the run is cancelled: waits end, and nothing more is sent. */
  signal?: AbortSignal | undefined;
  /** Whether the request is part of the recheck of another request, which has its credentials already. */
  isRecheck?: boolean;
}
