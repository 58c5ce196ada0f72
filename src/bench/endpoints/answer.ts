import { clip, type Failure, strangeAnswer } from "./errors.js";
import type { Piece, ProtocolRow } from "./protocols/protocol.js";
import type { Usage } from "./record.js";
import { type EventReader, EventScanner } from "./sse.js";
import type { OnlyText, TokenKind } from "./sse-shape.js";
import { GrowingText } from "./sse-text.js";

/** What was read of the body of an answer so far. */
export interface Reading {
  readonly events: readonly number[];
  readonly firstAnswer: number | null;
  readonly usage: Usage | null;
  readonly firstEventTokens: number | null;
  readonly finish: string | null;
  readonly streamed: boolean;
  /** The answer, the reasoning, and the arguments of tool calls. */
  readonly text: string;
  readonly reasoning: string;
  readonly tool: string;
}

/** Reads a body of status 2xx: events of a stream, or one JSON object. */
export interface AnswerReader {
  /** A failure that makes all that follows worthless; null while all is well. */
  readonly failure: Failure | null;
  /** Whether all is told already, so that only the end of the connection's message is missing. */
  readonly ended: boolean;
  push(bytes: Buffer, start: number, end: number, stamp: number): void;
  /** The body is complete; its failure, if any, is in `failure` then. */
  finish(): void;
  reading(): Reading;
}

/** A stream of server-sent events. */
export class StreamAnswer implements AnswerReader, EventReader {
  failure: Failure | null = null;
  ended = false;
  readonly only: OnlyText;
  private readonly row: ProtocolRow;
  private readonly redact: (text: string) => string;
  private readonly scanner = new EventScanner(this);
  private readonly events: number[] = [];
  private readonly texts: Readonly<Record<TokenKind, GrowingText>> = {
    answer: new GrowingText(),
    reasoning: new GrowingText(),
    tool: new GrowingText(),
  };
  private stamp = 0;
  private firstAnswer: number | null = null;
  private usage: Usage | null = null;
  private firstEventTokens: number | null = null;
  private finishReason: string | null = null;
  private calls = false;
  private finishing = false;
  private bytes = 0;
  private known = false;
  /** The first event of another protocol. */
  private strange: string | null = null;

  constructor(row: ProtocolRow, redact: (text: string) => string) {
    this.row = row;
    this.redact = redact;
    this.only = (data, name) => onlyText(row, data, name);
  }

  push(bytes: Buffer, start: number, end: number, stamp: number): void {
    this.stamp = stamp;
    this.bytes += end - start;
    this.scanner.push(bytes, start, end);
  }

  finish(): void {
    this.finishing = true;
    this.scanner.finish();
    if (this.failure !== null) return;
    if (!this.known && this.strange !== null) {
      const start = clip(this.redact(this.strange), 120);
      this.failure = { kind: "invalid-json", message: `events that are not of this protocol: ${start}` };
    } else if (this.finishReason === null && !this.ended) {
      this.failure =
        this.bytes === 0
          ? { kind: "empty", message: "a stream without a single byte" }
          : { kind: "truncated", message: "the stream ended without a finish reason or its end mark" };
    } else if (this.events.length === 0 && !this.calls) {
      this.failure = { kind: "empty", message: "complete, but without any output" };
    }
  }

  reading(): Reading {
    const { events, firstAnswer, usage, firstEventTokens, finishReason: finish, texts } = this;
    const [text, reasoning, tool] = [texts.answer, texts.reasoning, texts.tool].map(String) as [string, string, string];
    return { events, firstAnswer, usage, firstEventTokens, finish, streamed: true, text, reasoning, tool };
  }

  onEvent(name: string, data: string): boolean {
    if (data === "" || this.ended) return false;
    if (data === "[DONE]" || data.trim() === "[DONE]") {
      this.ended = true;
      return false;
    }
    let value: unknown;
    try {
      value = JSON.parse(data);
    } catch {
      this.fail(
        this.finishing
          ? { kind: "truncated", message: "the stream ended in the middle of an event" }
          : { kind: "invalid-json", message: `an event that is not JSON: ${clip(this.redact(data), 120)}` },
      );
      return false;
    }
    const piece = this.row.event(value, name);
    if (piece.error !== null) {
      this.fail({ kind: "in-stream", message: clip(this.redact(piece.error)) });
      return false;
    }
    if (piece.known) this.known = true;
    else this.strange ??= data.slice(0, 1000);
    this.take(piece);
    return kindsOf(piece).length > 0;
  }

  onToken(kind: TokenKind, bytes: Uint8Array, start: number, end: number): void {
    this.events.push(this.stamp);
    if (kind !== "reasoning") this.firstAnswer ??= this.stamp;
    this.texts[kind].append(bytes, start, end);
  }

  onStrangeLine(line: string): void {
    let said: string | null = null;
    try {
      said = this.row.event(JSON.parse(line), "").error;
    } catch {
      // no JSON either
    }
    this.fail(
      said === null
        ? { kind: "malformed-sse", message: `not a line of an event stream: ${clip(this.redact(line), 120)}` }
        : { kind: "in-stream", message: clip(this.redact(said)) },
    );
  }

  private take(piece: Piece): void {
    if (piece.usage !== null) this.usage = merged(this.usage, piece.usage);
    if (piece.finish !== null) this.finishReason = piece.finish;
    if (piece.calls) this.calls = true;
    if (piece.end) this.ended = true;
    if (kindsOf(piece).length === 0) return;
    if (this.events.length === 0) {
      const told = piece.usage?.output ?? piece.tokens;
      this.firstEventTokens = told === 0 ? null : told;
    }
    this.events.push(this.stamp);
    if (piece.answer !== "" || piece.tool !== "") this.firstAnswer ??= this.stamp;
    this.texts.answer.appendText(piece.answer);
    this.texts.reasoning.appendText(piece.reasoning);
    this.texts.tool.appendText(piece.tool);
  }

  private fail(failure: Failure): void {
    this.failure ??= failure;
    this.scanner.stop();
  }
}

/** One JSON object, perhaps after blank lines that kept the connection alive; or whatever else came instead. */
export class PlainAnswer implements AnswerReader {
  failure: Failure | null = null;
  readonly ended = false;
  private readonly row: ProtocolRow;
  private readonly redact: (text: string) => string;
  private readonly status: number;
  private readonly type: string | undefined;
  private readonly pieces: Buffer[] = [];
  private piece: Piece | null = null;

  constructor(row: ProtocolRow, redact: (text: string) => string, status: number, type: string | undefined) {
    this.row = row;
    this.redact = redact;
    this.status = status;
    this.type = type;
  }

  push(bytes: Buffer, start: number, end: number): void {
    let from = start;
    // a server may keep the connection alive with blank lines for half an hour
    if (this.pieces.length === 0) while (from < end && bytes[from]! <= 32) from += 1;
    if (from < end) this.pieces.push(Buffer.from(bytes.subarray(from, end)));
  }

  finish(): void {
    const body = textOfPieces(this.pieces);
    if (body === "") {
      this.failure = { kind: "empty", message: `status ${this.status} without a body` };
      return;
    }
    let piece: Piece | null = null;
    try {
      piece = this.row.answer(JSON.parse(body));
    } catch {
      // told below
    }
    this.piece = piece;
    if (piece === null || !piece.known) {
      this.failure = { kind: "invalid-json", message: strangeAnswer(this.status, this.type, this.redact(body)) };
    } else if (piece.error !== null) {
      this.failure = { kind: "in-stream", message: clip(this.redact(piece.error)) };
    } else if (kindsOf(piece).length === 0 && !piece.calls) {
      this.failure = { kind: "empty", message: "complete, but without any output" };
    }
  }

  reading(): Reading {
    const { piece } = this;
    return {
      events: [],
      firstAnswer: null,
      usage: piece?.usage ?? null,
      firstEventTokens: null,
      finish: piece?.finish ?? null,
      streamed: false,
      text: piece?.answer ?? "",
      reasoning: piece?.reasoning ?? "",
      tool: piece?.tool ?? "",
    };
  }
}

/** The text of a body that came in pieces, without a byte order mark and blank lines around it. */
export function textOfPieces(pieces: readonly Buffer[]): string {
  const text = pieces.length === 1 ? pieces[0]!.toString("utf8") : Buffer.concat(pieces).toString("utf8");
  return text.trim();
}

/** Whether a body that begins so is a stream, whatever it is called. */
export function looksLikeStream(type: string | undefined, start: string): boolean {
  if (type?.includes("text/event-stream") === true) return true;
  return (
    start !== "" &&
    ["data:", "event:", "id:", "retry:", ":"].some((name) => name.startsWith(start.slice(0, name.length)))
  );
}

function kindsOf(piece: Piece): readonly TokenKind[] {
  const kinds: TokenKind[] = [];
  if (piece.answer !== "") kinds.push("answer");
  if (piece.reasoning !== "") kinds.push("reasoning");
  if (piece.tool !== "") kinds.push("tool");
  return kinds;
}

function onlyText(row: ProtocolRow, data: string, name: string): ReturnType<OnlyText> {
  let piece: Piece;
  try {
    piece = row.event(JSON.parse(data), name);
  } catch {
    return null;
  }
  const [kind, ...more] = kindsOf(piece);
  if (kind === undefined || more.length > 0) return null;
  if (piece.usage !== null || piece.finish !== null || piece.error !== null || piece.end) return null;
  return { kind, text: piece[kind] };
}

function merged(before: Usage | null, now: Usage): Usage {
  return {
    input: now.input ?? before?.input ?? null,
    output: now.output ?? before?.output ?? null,
    cached: now.cached ?? before?.cached ?? null,
    reasoning: now.reasoning ?? before?.reasoning ?? null,
  };
}
