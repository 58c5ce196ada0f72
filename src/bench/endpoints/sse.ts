import { type EventShape, type OnlyText, shapeOf, type TokenKind } from "./sse-shape.js";

/** Whom the scanner tells. It may stop the scanner from within a call. */
export interface EventReader {
  /** A whole event; says whether others like it may be worth recognising by their shape. */
  onEvent(name: string, data: string): boolean;
  /** An event of a known shape: the inside of its JSON string, which is not empty; valid during the call only. */
  onToken(kind: TokenKind, bytes: Uint8Array, start: number, end: number): void;
  /** A line that is none of the format. */
  onStrangeLine(line: string): void;
  /** What an event of these data is, were it the text only. */
  readonly only: OnlyText;
}

/** Above it an event is not tried for its shape again each time more of it comes. */
const mostTried = 16384;

/**
 * Finds the events of a stream in raw bytes, split anywhere (WHATWG HTML, 9.2): lines end with LF, CRLF or CR, comments
 * begin with a colon, data may have several lines. Text is decoded line by line, so that no character is torn apart.
 */
export class EventScanner {
  private readonly reader: EventReader;
  private shape: EventShape | null = null;
  private older: EventShape | null = null;
  /** Tries to learn a shape that are left; each one that proves of use gives some back. */
  private tries = 8;
  private hits = 0;
  /** The beginning of a line or event that is not complete yet. */
  private held: Buffer = Buffer.alloc(0);
  private heldLength = 0;
  /** Bytes of it that hold no end of line. */
  private searched = 0;
  private skipLf = false;
  private first = true;
  private stopped = false;
  // the event under way
  private begun = false;
  private name = "";
  private data: string | null = null;
  private lines = 0;
  /** Where it and its data are in the bytes at hand; -1 where it began in others. */
  private eventStart = -1;
  private dataStart = 0;
  private dataEnd = 0;
  /** Comments seen: keep-alive. */
  comments = 0;

  constructor(reader: EventReader) {
    this.reader = reader;
  }

  /** Ignores all that still comes. */
  stop(): void {
    this.stopped = true;
  }

  push(bytes: Buffer, start: number, end: number): void {
    if (this.heldLength === 0) {
      const used = this.scan(bytes, start, end);
      if (used < end && !this.stopped) this.hold(bytes, used, end);
      return;
    }
    this.hold(bytes, start, end);
    const length = this.heldLength;
    const used = this.scan(this.held, 0, length);
    if (used > 0) this.held.copyWithin(0, used, length);
    this.heldLength = length - used;
    // no long event keeps its memory
    if (this.heldLength === 0 && this.held.length > 65536) this.held = Buffer.alloc(0);
  }

  /** The stream ended. An event whose empty line is missing still counts, as most clients have it. */
  finish(): void {
    if (this.stopped) return;
    if (this.heldLength > 0) {
      this.searched = 0;
      this.takeLine(this.held, 0, this.heldLength);
      this.heldLength = 0;
    }
    if (!this.stopped) this.dispatch();
  }

  private hold(bytes: Buffer, start: number, end: number): void {
    const length = this.heldLength + end - start;
    if (length > this.held.length) {
      const grown = Buffer.allocUnsafe(Math.max(1024, length, this.held.length * 2));
      this.held.copy(grown, 0, 0, this.heldLength);
      this.held = grown;
    }
    bytes.copy(this.held, this.heldLength, start, end);
    this.heldLength = length;
  }

  /** Returns the place up to which all is done with. */
  private scan(bytes: Buffer, start: number, end: number): number {
    let at = start;
    this.eventStart = -1;
    while (at < end && !this.stopped) {
      if (this.skipLf) {
        this.skipLf = false;
        if (bytes[at] === 10) {
          at += 1;
          continue;
        }
      }
      if (!this.begun) {
        if (this.shape !== null && this.searched < mostTried) {
          const next = this.known(bytes, at, end);
          if (next > 0) {
            this.searched = 0;
            at = next;
            continue;
          }
        }
        this.eventStart = at;
      }
      let stop = at + this.searched;
      while (stop < end && bytes[stop] !== 10 && bytes[stop] !== 13) stop += 1;
      if (stop === end) {
        this.searched = end - at;
        return at;
      }
      this.searched = 0;
      let next = stop + 1;
      if (bytes[stop] === 13) {
        if (next === end) this.skipLf = true;
        else if (bytes[next] === 10) next += 1;
      }
      if (stop === at) {
        this.dispatch(bytes, next);
      } else this.takeLine(bytes, at, stop);
      at = next;
    }
    return this.stopped ? end : at;
  }

  /** The place after an event of a known shape, which has been told; 0 where it is none. */
  private known(bytes: Buffer, at: number, end: number): number {
    let shape = this.shape!;
    let next = shape.match(bytes, at, end);
    if (next === 0 && this.older !== null) {
      next = this.older.match(bytes, at, end);
      if (next > 0) {
        shape = this.older;
        this.older = this.shape;
        this.shape = shape;
      }
    }
    if (next === 0) return 0;
    this.hits += 1;
    this.reader.onToken(shape.kind, bytes, shape.start, shape.end);
    return next;
  }

  private takeLine(bytes: Buffer, start: number, end: number): void {
    let from = start;
    if (this.first) {
      this.first = false;
      // a byte order mark
      if (bytes[from] === 0xef && bytes[from + 1] === 0xbb && bytes[from + 2] === 0xbf) from += 3;
      if (from >= end) return;
    }
    if (bytes[from] === 58) {
      this.comments += 1;
      return;
    }
    this.begun = true;
    let colon = from;
    while (colon < end && bytes[colon] !== 58) colon += 1;
    let value = Math.min(colon + 1, end);
    if (bytes[value] === 32 && value < end) value += 1;
    const field = colon - from > 32 ? "" : bytes.toString("latin1", from, colon);
    if (field === "data") {
      const text = bytes.toString("utf8", value, end);
      this.data = this.data === null ? text : `${this.data}\n${text}`;
      this.lines += 1;
      this.dataStart = value;
      this.dataEnd = end;
    } else if (field === "event") {
      this.name = bytes.toString("utf8", value, end);
    } else if (!/^[\w-]+$/.test(field)) {
      this.reader.onStrangeLine(bytes.toString("utf8", from, Math.min(end, from + 65536)));
    }
  }

  /** The event under way is complete; `next` is the place after it. */
  private dispatch(bytes?: Buffer, next = 0): void {
    const { name, data, lines, eventStart } = this;
    this.begun = false;
    this.name = "";
    this.data = null;
    this.lines = 0;
    this.eventStart = -1;
    if (data === null) return;
    const worth = this.reader.onEvent(name, data);
    if (!worth || this.stopped || bytes === undefined || lines !== 1 || eventStart < 0 || this.skipLf) return;
    if (this.tries + (this.hits >> 2) <= 0) return;
    this.tries -= 1;
    const event = bytes.subarray(eventStart, next);
    const shape = shapeOf(event, this.dataStart - eventStart, this.dataEnd - eventStart, name, this.reader.only);
    if (shape === null) return;
    this.older = this.shape;
    this.shape = shape;
  }
}
