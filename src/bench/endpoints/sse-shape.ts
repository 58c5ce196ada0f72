/** What an event of a stream is that brings output: text of the answer, reasoning, arguments of a tool call. */
export type TokenKind = "answer" | "reasoning" | "tool";

/** The one text in the data of an event, where there is nothing else of note in it; null otherwise. */
export type OnlyText = (data: string, name: string) => { readonly kind: TokenKind; readonly text: string } | null;

/** Stands in for the text to prove which string of an event it is. */
const mark = "a mark that no server sends 5b1c";
const names = /"(?:content|text|reasoning_content|reasoning|arguments|thinking|partial_json|refusal)"\s*:\s*"/g;

/**
 * The bytes of an event around its text. Events of one stream nearly always differ in nothing else, so that one which
 * equals a parsed event but for the inside of that string is classified without parsing, and with certainty: any other
 * inside leaves the rest of the JSON as it is.
 */
export class EventShape {
  readonly kind: TokenKind;
  private readonly prefix: Uint8Array;
  private readonly suffix: Uint8Array;
  /** Of the last match: where the text is, between its quotes. */
  start = 0;
  end = 0;

  constructor(kind: TokenKind, prefix: Uint8Array, suffix: Uint8Array) {
    this.kind = kind;
    this.prefix = prefix;
    this.suffix = suffix;
  }

  /** The place after an event of this shape at `at`; 0 where it is none, or not all there yet. */
  match(bytes: Uint8Array, at: number, end: number): number {
    const { prefix, suffix } = this;
    const size = prefix.length;
    if (end - at < size + suffix.length) return 0;
    for (let index = 0; index < size; index += 1) if (bytes[at + index] !== prefix[index]) return 0;
    let place = at + size;
    this.start = place;
    for (;;) {
      if (place >= end) return 0;
      const byte = bytes[place]!;
      if (byte === 34) break;
      if (byte < 32) return 0;
      if (byte === 92) {
        place = escapeEnd(bytes, place + 1, end);
        if (place === 0) return 0;
      } else place += 1;
    }
    // without it another field may count: parsing tells
    if (place === this.start) return 0;
    this.end = place;
    const rest = suffix.length;
    if (end - place < rest) return 0;
    for (let index = 0; index < rest; index += 1) if (bytes[place + index] !== suffix[index]) return 0;
    return place + rest;
  }
}

/** The place after an escape whose letter stands at `at`; 0 for what JSON does not know. */
function escapeEnd(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return 0;
  const letter = bytes[at]!;
  if (letter === 117) {
    if (at + 4 >= end) return 0;
    for (let index = 1; index <= 4; index += 1) {
      const byte = bytes[at + index]!;
      const lower = byte | 32;
      if (!((byte >= 48 && byte <= 57) || (lower >= 97 && lower <= 102))) return 0;
    }
    return at + 5;
  }
  // " \ / b f n r t
  const known =
    letter === 34 ||
    letter === 92 ||
    letter === 47 ||
    letter === 98 ||
    letter === 102 ||
    letter === 110 ||
    letter === 114 ||
    letter === 116;
  return known ? at + 1 : 0;
}

/**
 * The shape of an event, proven by putting a mark in the place of each string that may be its text; null where none is.
 * @param event all its bytes, from its first line to the empty line after it
 * @param dataStart where its JSON starts; it must be a single line
 */
export function shapeOf(
  event: Buffer,
  dataStart: number,
  dataEnd: number,
  name: string,
  only: OnlyText,
): EventShape | null {
  // one character a byte
  const raw = event.toString("latin1", 0, event.length);
  names.lastIndex = dataStart;
  for (let found = names.exec(raw); found !== null && names.lastIndex < dataEnd; found = names.exec(raw)) {
    const start = names.lastIndex;
    let end = start;
    while (end < dataEnd && raw[end] !== '"') end += raw[end] === "\\" ? 2 : 1;
    if (end >= dataEnd) return null;
    const marked = Buffer.from(raw.slice(dataStart, start) + mark + raw.slice(end, dataEnd), "latin1").toString("utf8");
    const text = only(marked, name);
    if (text?.text === mark) {
      return new EventShape(text.kind, Uint8Array.from(event.subarray(0, start)), Uint8Array.from(event.subarray(end)));
    }
    names.lastIndex = end;
  }
  return null;
}
