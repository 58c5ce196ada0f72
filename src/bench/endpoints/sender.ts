import type { Outcome } from "./record.js";
import type { Prompt } from "./target.js";

/** The run's clock. A test may hand in one that only moves when it is told. */
export interface Clock {
  /** Monotonic, in seconds. */
  now(): number;
  /** Resolves at that time or as soon after it as the event loop gets there; rejects never. */
  until(time: number, stop?: AbortSignal): Promise<void>;
}

/** Sends prompts to one target and measures what comes back. */
export interface Sender {
  /** Opens so many connections ahead of time, so that no request of a run pays for it. Failures show in requests. */
  connect(connections: number): Promise<void>;
  /** Never rejects: what goes wrong is in the outcome. `stop` ends it as `cancelled`. */
  send(prompt: Prompt, stop?: AbortSignal): Promise<Outcome>;
  /** Closes all connections. */
  close(): void;
}
