/** The head of an answer. */
export interface Head {
  readonly status: number;
  /** Names in lower case; several of one name are joined by a comma. */
  readonly headers: ReadonlyMap<string, string>;
}

/** Whom the parser tells. It may stop the parser from within a call. */
export interface Http1Handler {
  onHead(head: Head): void;
  /** A piece of the body without its chunked framing. The bytes are only valid during the call. */
  onBody(bytes: Buffer, start: number, end: number): void;
  /** The answer is complete. `reusable`: the connection may carry another request. */
  onEnd(reusable: boolean): void;
  onMalformed(message: string): void;
}

/** Bytes of a head or of trailers, and of the line that names a chunk's size, at most. */
const mostHead = 65536;
const mostSizeLine = 4096;

type State = "idle" | "head" | "length" | "close" | "size" | "data" | "data-end" | "trailers" | "stopped";

/**
 * Reads answers of HTTP/1.1 to POST requests, split at any byte (RFC 9112): status line, headers, Content-Length,
 * chunked with extensions and trailers, bodies that end with the connection, interim 1xx answers. Bytes after an answer
 * make the connection unusable; they are not looked at.
 */
export class Http1Parser {
  private state: State = "idle";
  private readonly handler: Http1Handler;
  /** A head, size line or trailers that is not complete yet. */
  private held: Buffer | null = null;
  /** Bytes still to come of the body or chunk. */
  private left = 0;
  private keepAlive = true;

  constructor(handler: Http1Handler) {
    this.handler = handler;
  }

  /** Expects the answer to a request that was sent. */
  expect(): void {
    this.state = "head";
    this.held = null;
    this.keepAlive = true;
  }

  /** Ignores all that still comes. */
  stop(): void {
    this.state = "stopped";
    this.held = null;
  }

  /** The connection ended: tells whether that completed the answer (a body without a length). */
  finish(): boolean {
    if (this.state !== "close") return false;
    this.state = "idle";
    this.handler.onEnd(false);
    return true;
  }

  push(bytes: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end) {
      switch (this.state) {
        case "data":
        case "length": {
          const stop = Math.min(end, at + this.left);
          this.left -= stop - at;
          const last = this.left === 0;
          const chunked = this.state === "data";
          if (last && chunked) this.state = "data-end";
          this.handler.onBody(bytes, at, stop);
          at = stop;
          if (last && !chunked) this.complete(at < end);
          break;
        }
        case "data-end":
          if (bytes[at] === 13) at += 1;
          else if (bytes[at] === 10) {
            at += 1;
            this.state = "size";
          } else {
            this.malformed("a chunk is longer than its size says");
            return;
          }
          break;
        case "size":
          at = this.line(bytes, at, end, mostSizeLine);
          break;
        case "close":
          this.handler.onBody(bytes, at, end);
          at = end;
          break;
        case "head":
        case "trailers":
          at = this.block(bytes, at, end);
          break;
        default:
          return;
      }
    }
  }

  /** A line with the size of a chunk, in hex, perhaps with extensions. Returns where to go on. */
  private line(bytes: Buffer, at: number, end: number, most: number): number {
    let stop = at;
    while (stop < end && bytes[stop] !== 10) stop += 1;
    if (stop === end) {
      this.hold(bytes, at, end, most);
      return end;
    }
    let source = bytes;
    let from = at;
    let to = stop;
    if (this.held !== null) {
      source = Buffer.concat([this.held, bytes.subarray(at, stop)]);
      this.held = null;
      from = 0;
      to = source.length;
    }
    let size = 0;
    let digits = 0;
    for (; from < to; from += 1) {
      const digit = hexDigit(source[from]!);
      if (digit < 0) break;
      size = size * 16 + digit;
      digits += 1;
    }
    const after = from < to ? source[from]! : 13;
    // space, tab, CR or the semicolon of an extension may follow
    if (digits === 0 || digits > 13 || (after !== 13 && after !== 59 && after !== 32 && after !== 9)) {
      this.malformed("a chunk without a size");
      return end;
    }
    this.left = size;
    this.state = size === 0 ? "trailers" : "data";
    return stop + 1;
  }

  /** A head or trailers, up to their empty line. Returns where to go on. */
  private block(bytes: Buffer, at: number, end: number): number {
    if (this.state === "trailers" && this.held === null) {
      // nearly always there are none
      if (bytes[at] === 13 && at + 1 < end && bytes[at + 1] === 10) {
        this.complete(at + 2 < end);
        return at + 2;
      }
    }
    const before = this.held?.length ?? 0;
    const source = this.held === null ? bytes.subarray(at, end) : Buffer.concat([this.held, bytes.subarray(at, end)]);
    const stop = endOfBlock(source, Math.max(0, before - 3), this.state === "trailers");
    if (stop < 0) {
      this.held = null;
      this.hold(source, 0, source.length, mostHead);
      return end;
    }
    this.held = null;
    const next = at + stop - before;
    if (this.state === "trailers") this.complete(next < end);
    else this.head(source.toString("latin1", 0, stop), next < end);
    return next;
  }

  private head(text: string, more: boolean): void {
    const lines = text.split(/\r?\n/);
    const first = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: .*)?$/.exec(lines[0]!);
    if (first === null) {
      const start = lines[0]!.slice(0, 60).replace(/[^ -~]/g, "?");
      this.malformed(`not an answer of HTTP/1.1: ${start === "" ? "an empty line" : start}`);
      return;
    }
    const headers = new Map<string, string>();
    for (let index = 1; index < lines.length; index += 1) {
      const line = lines[index]!;
      if (line === "") break;
      const colon = line.indexOf(":");
      const name = line.slice(0, Math.max(0, colon)).toLowerCase();
      if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name)) {
        this.malformed("a header without a name");
        return;
      }
      const value = line.slice(colon + 1).trim();
      const before = headers.get(name);
      headers.set(name, before === undefined ? value : `${before}, ${value}`);
    }
    const status = Number(first[2]);
    if (status === 101) {
      this.malformed("status 101, which nobody asked for");
      return;
    }
    if (status < 200) return; // interim: the answer's head follows
    const connection = headers.get("connection")?.toLowerCase() ?? "";
    this.keepAlive = first[1] === "1" ? !/\bclose\b/.test(connection) : /\bkeep-alive\b/.test(connection);
    const coding = headers.get("transfer-encoding")?.toLowerCase();
    const length = headers.get("content-length");
    if (coding !== undefined) {
      if (coding !== "chunked") {
        this.malformed(`transfer encoding ${coding.slice(0, 40)}`);
        return;
      }
      // both together are ambiguous: read as chunked, and never again on this connection
      if (length !== undefined) this.keepAlive = false;
      this.state = "size";
    } else if (status === 204 || status === 304) {
      this.left = 0;
      this.state = "length";
    } else if (length === undefined) {
      this.keepAlive = false;
      this.state = "close";
    } else {
      const values = new Set(length.split(",").map((value) => value.trim()));
      const value = [...values][0]!;
      if (values.size !== 1 || !/^\d{1,15}$/.test(value)) {
        this.malformed("a Content-Length that is no length");
        return;
      }
      this.left = Number(value);
      this.state = "length";
    }
    const empty = this.state === "length" && this.left === 0;
    this.handler.onHead({ status, headers });
    if (empty && this.state === "length") this.complete(more);
  }

  private complete(leftovers: boolean): void {
    if (this.state === "stopped") return;
    this.state = "idle";
    this.handler.onEnd(this.keepAlive && !leftovers);
  }

  private hold(bytes: Buffer, start: number, end: number, most: number): void {
    const piece = bytes.subarray(start, end);
    // a copy, for the bytes are only lent
    this.held = this.held === null ? Buffer.from(piece) : Buffer.concat([this.held, piece]);
    if (this.held.length > most) this.malformed("a head that does not end");
  }

  private malformed(message: string): void {
    this.stop();
    this.handler.onMalformed(message);
  }
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

/** The place after the empty line that ends a head; in trailers that line may come first. -1 where it is not there yet. */
function endOfBlock(bytes: Buffer, from: number, trailers: boolean): number {
  if (trailers && bytes[0] === 10) return 1;
  if (trailers && bytes[0] === 13 && bytes[1] === 10) return 2;
  for (let at = bytes.indexOf(10, from); at >= 0; at = bytes.indexOf(10, at + 1)) {
    if (bytes[at + 1] === 10) return at + 2;
    if (bytes[at + 1] === 13 && bytes[at + 2] === 10) return at + 3;
  }
  return -1;
}
