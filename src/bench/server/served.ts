import type { Protocol } from "../endpoints/target.js";
import type { Fault } from "./behaviour.js";

/** What the server did for one request: the truth that a measurement is held against. Times in seconds on its clock. */
export interface Served {
  readonly model: string;
  /** Its messages' texts, one a line: names it for a test. */
  readonly prompt: string;
  readonly protocol: Protocol;
  readonly http: "1.1" | "2";
  /** Number of its connection and of the request on it, from 0. */
  readonly connection: number;
  readonly turn: number;
  readonly streamed: boolean;
  readonly fault: Fault["kind"] | null;
  /** The whole request was read. */
  readonly received: number;
  /** A place was free. */
  began: number;
  /** Just before the write that completed each token event. Empty where nothing streams, and in bulk. */
  readonly events: number[];
  /** Of the first event that is not reasoning. */
  firstAnswer: number | null;
  /** Just before the last write; null where the answer has no end yet. */
  ended: number | null;
  status: number | null;
  readonly input: number;
  readonly cached: number | null;
  /** Sent, reasoning and tool calls included. */
  tokens: number;
  tokenEvents: number;
  /** The client went before the end. */
  gone: boolean;
}
