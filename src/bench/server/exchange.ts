/** A request and the way back, whatever HTTP it came over. */
export interface Exchange {
  readonly http: "1.1" | "2";
  /** Number of its connection, from 0, and of the request on it. */
  readonly connection: number;
  readonly turn: number;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
  /** Before anything else. `length` of the body in bytes; null where it comes in chunks. */
  head(status: number, headers: Readonly<Record<string, string>>, length: number | null): void;
  /** A segment of the body. False: wait for `drained` before more. */
  write(bytes: Buffer): boolean;
  /** A part of the body as it goes over this connection, for `writeFramed`: over HTTP/1.1 a chunk. */
  frame(bytes: Buffer): Buffer;
  writeFramed(bytes: Buffer): boolean;
  /** The body ends in good order, with these bytes if any. */
  end(bytes?: Buffer): void;
  /** The connection (over HTTP/2: the stream) is reset. */
  reset(): void;
  /** A chunk announced longer than it is, then the connection is closed. Over HTTP/2, where that cannot be, a reset. */
  cut(): void;
  /** Bytes that are no HTTP, then the connection is closed. Over HTTP/2, where that cannot be, a reset. */
  rubbish(): void;
  /** Once, when the connection takes bytes again. */
  drained(action: () => void): void;
  /** Called when the client has gone before the end. */
  gone: (() => void) | null;
}

export type Serve = (exchange: Exchange) => void;

/** Bodies of requests may be as long as this. */
export const mostBodyBytes = 64 * 1024 * 1024;
