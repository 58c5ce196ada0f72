import type { ObjectShape, Place, Span, Syntax } from "../facts.js";
import type { Edit } from "../rule.js";
import { lineComment } from "../syntax.js";

/** Replaces a string literal's content; prefix and quotes stay as they are. Without quotes all of it is replaced. */
export function replaceString(text: string, place: Place, value: string): Edit {
  const [, prefix, quote] = /^([A-Za-z]{0,2})("""|'''|["'`]|\\")/.exec(text.slice(place.start, place.end)) ?? [
    "",
    "",
    "",
  ];
  return { ...place, text: `${quote ? prefix : ""}${quote}${value}${quote}` };
}

/** Replaces a part of a literal that stands in it once, so that what is around it stays; the whole where it does not. */
export function replacePart(text: string, place: Place, part: string, value: string): Edit {
  const literal = text.slice(place.start, place.end);
  const at = literal.indexOf(part);
  if (at < 0 || at !== literal.lastIndexOf(part)) return replaceString(text, place, value);
  const start = place.start + at;
  return { file: place.file, start, end: start + part.length, text: value };
}

/** Is a literal written in several parts with a comment between them, so that it cannot be replaced as one? */
export function isBrokenByComment(text: string, { start, end }: Span): boolean {
  const parts = text.slice(start, end).replace(/"""[\s\S]*?"""|'''[\s\S]*?'''|"[^"\n]*"|'[^'\n]*'|`[^`]*`/g, "");
  return /#|\/[/*]/.test(parts);
}

/**
 * Puts a property into an object literal, after one that is there: on its own line where the object is written so,
 * else on the same line. A comment line before it, if given, forces lines. Undefined where the layout (comments
 * between the properties of one line, commas at the start of lines) leaves no clean place.
 */
export function insertProperty(
  text: string,
  shape: ObjectShape,
  after: Span | undefined,
  property: string,
  comment?: string,
): readonly Edit[] | undefined {
  const { file, start, end } = shape.place;
  const { syntax } = shape;
  // nothing by position may follow a keyword
  const positional = shape.properties.findLast(
    (one) => syntax === "keywords" && !/^(?:\w+\s*=(?!=)|\*)/.test(text.slice(one.start, one.end)),
  );
  const wanted = after ?? shape.properties.at(-1);
  const anchor = positional && wanted && wanted.start < positional.start ? positional : wanted;
  const eol = lineBreakAt(text, start);
  if (syntax === "yaml") {
    if (!anchor) return undefined;
    const indent = " ".repeat(anchor.start - (text.lastIndexOf("\n", anchor.start - 1) + 1));
    const at = endOfLine(text, anchor.end, syntax);
    // a value of several lines ends in its own line break
    if (text[at - 1] === "\n") return [{ file, start: at, end: at, text: `${indent}${property}${eol}` }];
    return [{ file, start: at, end: at, text: `${eol}${indent}${property}` }];
  }
  if (!anchor) {
    // an empty object
    if (comment || text.slice(start + 1, end - 1).trim() !== "") return undefined;
    const space = syntax === "js" ? " " : "";
    return [{ file, start: start + 1, end: end - 1, text: `${space}${property}${space}` }];
  }
  const afterComma = commaAfter(text, anchor.end, syntax);
  // commas at the start of lines: a style of its own, left to its owner
  if (afterComma && text.slice(anchor.end, afterComma).includes("\n")) return undefined;
  const first = shape.properties[0]!;
  if (text.slice(start, first.start).includes("\n")) {
    const indent = indentAt(text, anchor.start);
    const lines = `${eol}${indent}${comment ? `${comment}${eol}${indent}` : ""}${property}${afterComma ? "," : ""}`;
    const at = endOfLine(text, afterComma ?? anchor.end, syntax);
    if (afterComma) return [{ file, start: at, end: at, text: lines }];
    if (at === anchor.end) return [{ file, start: at, end: at, text: `,${lines}` }];
    return [
      { file, start: anchor.end, end: anchor.end, text: "," },
      { file, start: at, end: at, text: lines },
    ];
  }
  if (!comment) return [{ file, start: anchor.end, end: anchor.end, text: `, ${property}` }];
  return unfold(text, shape, anchor, `${comment}\n${property}`, eol);
}

/** Breaks an object of one line into lines and puts a property of several lines after one of its own. */
function unfold(
  text: string,
  shape: ObjectShape,
  anchor: Span,
  added: string,
  eol: string,
): readonly Edit[] | undefined {
  const { file, start, end } = shape.place;
  const outer = indentAt(text, start);
  const inner = outer + indentUnit(text);
  const lines = added.split("\n").join(eol + inner);
  const edits: Edit[] = [];
  let from = start + 1;
  for (const property of shape.properties) {
    if (text.slice(from, property.start).trim() !== "") return undefined;
    edits.push({ file, start: from, end: property.start, text: eol + inner });
    const comma = commaAfter(text, property.end, shape.syntax);
    from = comma ?? property.end;
    if (property.start === anchor.start) {
      edits.push({
        file,
        start: from,
        end: from,
        text: `${comma ? "" : ","}${eol}${inner}${lines}${comma ? "," : ""}`,
      });
    }
  }
  if (text.slice(from, end - 1).trim() !== "") return undefined;
  const last = edits.pop()!;
  // the place after the last property may already have an insertion
  if (last.start === from)
    edits.push({ ...last, end: end - 1, text: `${last.text}${last.text.endsWith(",") ? "" : ","}${eol}${outer}` });
  else
    edits.push(last, {
      file,
      start: from,
      end: end - 1,
      text: `${commaAfter(text, shape.properties.at(-1)!.end, shape.syntax) ? "" : ","}${eol}${outer}`,
    });
  return edits;
}

/** Takes a property out of an object literal, with its comma, and with its line where it has one for itself. */
export function removeProperty(text: string, shape: ObjectShape, property: Span): readonly Edit[] {
  const { file } = shape.place;
  const { syntax } = shape;
  if (syntax === "yaml") {
    const from = text.lastIndexOf("\n", property.start - 1) + 1;
    const to = endOfLine(text, property.end, syntax);
    const own = text.slice(from, property.start).trim() === "";
    // the first key of a list's item stands behind the dash
    if (!own) return [{ file, ...property, text: "" }];
    const lineBreak = /^\r?\n/.exec(text.slice(to))?.[0].length ?? 0;
    return [{ file, start: from, end: to + lineBreak, text: "" }];
  }
  const index = shape.properties.findIndex(({ start }) => start === property.start);
  const next = shape.properties[index + 1];
  const previous = shape.properties[index - 1];
  const lineStart = text.lastIndexOf("\n", property.start - 1) + 1;
  const comma = commaAfter(text, property.end, syntax);
  const tail = endOfLine(text, comma ?? property.end, syntax);
  const alone = text.slice(lineStart, property.start).trim() === "" && /^\r?\n/.test(text.slice(tail));
  if (alone) {
    const breakLength = text.startsWith("\r\n", tail) ? 2 : 1;
    const edits: Edit[] = [{ file, start: lineStart, end: tail + breakLength, text: "" }];
    // the one before is last now: it keeps a comma only where the object ended with one
    const before = !next && !comma && previous ? commaAfter(text, previous.end, syntax) : undefined;
    if (before) edits.unshift({ file, start: before - 1, end: before, text: "" });
    return edits;
  }
  const comment = lineComment(syntax) === "#" ? /#/ : /\/[/*]/;
  if (next && !comment.test(text.slice(property.end, next.start))) {
    return [{ file, start: property.start, end: next.start, text: "" }];
  }
  if (!next && previous && !comment.test(text.slice(previous.end, property.start))) {
    return [{ file, start: previous.end, end: property.end, text: "" }];
  }
  // a comment on the way to a neighbour is the neighbour's, and stays
  const own: Span = { start: property.start, end: afterBlanks(text, property.end) };
  if (comma === undefined) {
    const before = previous && commaAfter(text, previous.end, syntax);
    return [...(before ? [{ file, start: before - 1, end: before, text: "" }] : []), { file, ...own, text: "" }];
  }
  if (comment.test(text.slice(property.end, comma))) {
    return [
      { file, ...own, text: "" },
      { file, start: comma - 1, end: comma, text: "" },
    ];
  }
  const end = afterBlanks(text, comma);
  const isEndOfLine = /^\r?\n/.test(text.slice(end, end + 2));
  const blanks = isEndOfLine ? /[ \t]*$/.exec(text.slice(lineStart, property.start))![0].length : 0;
  return [{ file, start: property.start - blanks, end, text: "" }];
}

const afterBlanks = (text: string, position: number): number =>
  position + /^[ \t]*/.exec(text.slice(position))![0].length;

/**
 * Takes a statement out that has its line for itself. Undefined where it has no line of its own or may be a branch
 * without braces: something else would then stand in its place. `byLines`: statements end with their line (Python).
 */
export function removeStatement(
  text: string,
  { file, start, end }: Place,
  byLines: boolean,
): readonly Edit[] | undefined {
  const lineStart = text.lastIndexOf("\n", start - 1) + 1;
  const tail = /^[ \t]*;?[ \t]*(?=\r?\n|$)/.exec(text.slice(end));
  if (text.slice(lineStart, start).trim() !== "" || !tail) return undefined;
  const before = text.slice(0, lineStart).trimEnd();
  const isSibling = indentAt(text, before.lastIndexOf("\n") + 1) === indentAt(text, lineStart);
  const isWhole = byLines
    ? isSibling && !/[:,({[\\=]$/.test(before)
    : /[;{}]$/.test(before) || (isSibling && !/[:,({[\\=)]$/.test(before));
  if (before !== "" && !isWhole) return undefined;
  const to = end + tail[0].length;
  return [{ file, start: lineStart, end: to + (/^\r?\n/.exec(text.slice(to))?.[0].length ?? 0), text: "" }];
}

/**
 * A number in the style of the one it replaces, of which the code and the value are given: with or without separators,
 * as a product with 1024 or 1000, as a power of ten.
 */
export function numberLike(model: string, value: number, decimal: number, binary: number): string {
  const product = /^\d+(\s*\*\s*)(1_?024|1_?000)$/.exec(model);
  const unit = Number(product?.[2]?.replace("_", ""));
  if (product) return `${(unit === 1024 ? binary : decimal) / unit}${product[1]}${product[2]}`;
  if (/e/i.test(model)) return decimal >= 1e6 ? `${decimal / 1e6}e6` : `${decimal / 1e3}e3`;
  const next = value % 1000 === 0 ? decimal : binary;
  return model.includes("_") ? String(next).replace(/\B(?=(\d{3})+$)/g, "_") : String(next);
}

/** Position after the comma that follows a property, comments between them skipped; undefined where there is none. */
function commaAfter(text: string, end: number, syntax: Syntax): number | undefined {
  const skip = lineComment(syntax) === "#" ? /(?:\s|#[^\n]*)*/y : /(?:\s|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y;
  skip.lastIndex = end;
  skip.exec(text);
  return text[skip.lastIndex] === "," ? skip.lastIndex + 1 : undefined;
}

/** The end of the line if only blanks and a comment stand between, else the position itself. */
function endOfLine(text: string, position: number, syntax: Syntax): number {
  const rest =
    lineComment(syntax) === "#"
      ? /[ \t]*(?:#[^\r\n]*)?(?=\r?\n|$)/y
      : /[ \t]*(?:\/\/[^\r\n]*|\/\*[^\r\n]*?\*\/[ \t]*)?(?=\r?\n|$)/y;
  rest.lastIndex = position;
  return rest.test(text) ? rest.lastIndex : position;
}

function indentAt(text: string, position: number): string {
  const lineStart = text.lastIndexOf("\n", position - 1) + 1;
  return /^[ \t]*/.exec(text.slice(lineStart))![0];
}

/** The kind of line break that ends a place's line; where it is the last one, that of the line before. */
function lineBreakAt(text: string, position: number): string {
  const after = text.indexOf("\n", position);
  const at = after < 0 ? text.lastIndexOf("\n") : after;
  return text[at - 1] === "\r" ? "\r\n" : "\n";
}
/** The text that was asked about last: hundreds of fixes ask about the same one. */
let lastIndent: { readonly text: string; readonly unit: string } | undefined;

function indentUnit(text: string): string {
  if (lastIndent?.text !== text) lastIndent = { text, unit: /^(\t| {2,8})(?=\S)/m.exec(text)?.[1] ?? "  " };
  return lastIndent.unit;
}
