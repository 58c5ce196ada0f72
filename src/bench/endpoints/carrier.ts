import type { Failure } from "./errors.js";
import type { Head } from "./http1.js";

/** One request as it goes over the wire. */
export interface WireRequest {
  /** Beside those that frame the message; names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** JSON. */
  readonly body: string;
}

/** Whom a carrier tells about the answer to its request: any number of calls, then one `onEnd` or `onLost`. */
export interface Receiver {
  /** Time of the socket read under way: one a read. */
  stamp: number;
  onHead(head: Head): void;
  /** A piece of the body; the bytes are only valid during the call. */
  onBody(bytes: Buffer, start: number, end: number): void;
  onEnd(): void;
  /** `untouched`: a kept connection that died before the first byte of this answer. */
  onLost(failure: Failure, untouched: boolean): void;
}

/** A connection, or a stream of one, that takes one request at a time. */
export interface Carrier {
  readonly http: "1.1" | "2";
  /** Whether the connection served a request before. */
  readonly reused: boolean;
  /** Hands the request to the socket in one write; returns when, on the run's clock. */
  send(request: WireRequest, receiver: Receiver): number;
  /** Gives the answer up; the receiver hears nothing more. */
  drop(): void;
  /** Goes back unused. */
  giveBack(): void;
}
