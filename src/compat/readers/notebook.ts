import { findNodeAtLocation, type Node, type ParseError, parseTree } from "jsonc-parser";
import type { NamedSymbol, Span } from "../facts.js";
import type { Edit } from "../rule.js";
import type { Location, View } from "../view.js";

/** A stretch of the view that stands in one JSON string. */
interface Piece {
  /** In the view. */
  readonly start: number;
  readonly end: number;
  /** Offset in the file of each character of the view, and of the end; with one more entry than characters. */
  readonly offsets: readonly number[];
  readonly cell: number;
  /** The string is an element of a list of lines. */
  readonly isLine: boolean;
}

/** What a notebook's cells read as, and where they are. */
export interface NotebookView {
  readonly view: View;
  readonly symbols: readonly NamedSymbol[];
  /** Why it could not be read. */
  readonly error?: string;
}

/**
 * The Python of a notebook: its code cells, joined. Commands of the notebook (`%magic`, `!shell`) stand as comments of
 * the same length. A notebook of another language, or a file that is none, and broken JSON, read as
 * nothing; the latter says so in `error`.
 */
export function notebookView(text: string): NotebookView {
  const errors: ParseError[] = [];
  let root: Node | undefined;
  try {
    root = parseTree(text.replace(/^\uFEFF/, " "), errors, { disallowComments: true });
  } catch {
    return { ...built(text, "", [], []), error: "the notebook is nested too deeply to be read" };
  }
  const cells = root && findNodeAtLocation(root, ["cells"]);
  if (!root || errors.length > 0) return { ...built(text, "", [], []), error: "the notebook is no valid JSON" };
  if (cells?.type !== "array" || !isPython(root)) return built(text, "", [], []);
  let view = "";
  const pieces: Piece[] = [];
  const symbols: NamedSymbol[] = [];
  (cells.children ?? []).forEach((cell, index) => {
    if (findNodeAtLocation(cell, ["cell_type"])?.value !== "code") return;
    const source = findNodeAtLocation(cell, ["source"]);
    const strings = source?.type === "array" ? (source.children ?? []) : source ? [source] : [];
    const start = view.length;
    for (const node of strings) {
      if (node.type !== "string") continue;
      const offsets = offsetsOf(text, node);
      const value = String(node.value);
      pieces.push({
        start: view.length,
        end: view.length + value.length,
        offsets,
        cell: index + 1,
        isLine: source?.type === "array",
      });
      view += value;
    }
    const own = view.slice(start);
    const plain = withoutMagics(own);
    view = view.slice(0, start) + plain;
    symbols.push({ name: `cell ${index + 1}`, kind: "cell", start, end: view.length });
    // so that the end of a cell is never the start of the next
    view += "\n";
  });
  return built(text, view, pieces, symbols);
}

/** Has the notebook a Python kernel, or names none? */
function isPython(root: Node): boolean {
  const language =
    findNodeAtLocation(root, ["metadata", "language_info", "name"])?.value ??
    findNodeAtLocation(root, ["metadata", "kernelspec", "language"])?.value ??
    findNodeAtLocation(root, ["metadata", "kernelspec", "name"])?.value;
  return typeof language !== "string" || /^(i?python|conda|env|venv|\.venv)/i.test(language);
}

/** Turns what only a notebook understands into comments, character for character. */
function withoutMagics(cell: string): string {
  // a cell magic takes the whole cell, but for those that run Python
  const magic = /^\s*%%(\w+)/.exec(cell)?.[1];
  if (magic !== undefined && !/^(time|timeit|capture|prun|python3?|ipython)$/.test(magic)) {
    return cell.replace(/^[ \t]*\S/gm, (start) => `${start.slice(0, -1)}#`);
  }
  let isContinued = false;
  return cell
    .split(/(?<=\n)/)
    .map((line) => {
      const isMagic =
        isContinued || /^[ \t]*(%%?[A-Za-z]|!|\?{1,2}\w)/.test(line) || /^[ \t]*[\w.]+\?{1,2}[ \t]*\r?\n?$/.test(line);
      isContinued = isMagic && /\\[ \t]*\r?\n?$/.test(line);
      // in a block of its own it must stay a statement
      if (isMagic && /^[ \t]+\S{1,}.{3,}/.test(line)) return line.replace(/^([ \t]+).{5}/, "$1pass#");
      if (isMagic) return line.replace(/^([ \t]*)[^\s]/, "$1#");
      // name = !command, name = %magic
      return line.replace(
        /^([ \t]*[\w, ]+=[ \t]*)[!%]([A-Za-z][^\r\n]*)/,
        (_, before: string, rest: string) => `${before}0#${rest.slice(1)}`,
      );
    })
    .join("");
}

/** Offset in the file of each character of a JSON string's value, and of its end. */
function offsetsOf(text: string, node: Node): readonly number[] {
  const offsets: number[] = [];
  const end = node.offset + node.length - 1;
  let at = node.offset + 1;
  while (at < end) {
    offsets.push(at);
    at += text[at] === "\\" ? (text[at + 1] === "u" ? 6 : 2) : 1;
  }
  offsets.push(end);
  return offsets;
}

function built(text: string, view: string, pieces: readonly Piece[], symbols: readonly NamedSymbol[]): NotebookView {
  const pieceAt = (offset: number): Piece | undefined =>
    pieces.find((piece) => piece.start <= offset && offset < piece.end) ??
    pieces.findLast((piece) => piece.end <= offset);
  const fileOffset = (piece: Piece, offset: number): number =>
    piece.offsets[Math.min(offset - piece.start, piece.offsets.length - 1)]!;
  const locate = (offset: number): Location => {
    const piece = pieceAt(offset) ?? pieces[0];
    const at = piece ? fileOffset(piece, Math.max(offset, piece.start)) : 0;
    const before = text.slice(0, at);
    const lineStart = before.lastIndexOf("\n") + 1;
    const place = { line: before.split("\n").length, column: at - lineStart + 1 };
    if (!piece) return place;
    const cellStart = pieces.find(({ cell }) => cell === piece.cell)!.start;
    const inCell = view.slice(cellStart, Math.min(offset, piece.end));
    return { ...place, cell: piece.cell, cellLine: inCell.split("\n").length };
  };
  const apply = (edits: readonly Omit<Edit, "file">[]): string => {
    let result = "";
    let at = 0;
    for (const edit of [...edits].sort((a, b) => a.start - b.start || a.end - b.end)) {
      for (const part of partsOf(edit, pieces)) {
        const element = elementOf(part, pieces);
        const isGone = element !== undefined && element.start >= at;
        const start = isGone ? element.start : fileOffset(part.piece, part.start);
        const end = isGone ? element.end : fileOffset(part.piece, part.end);
        result += text.slice(at, start) + written(text, part.piece, part.text);
        at = end;
      }
    }
    return result + text.slice(at);
  };
  return { view: { text: view, locate, apply }, symbols };
}

interface Part {
  readonly piece: Piece;
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/**
 * Where a line is taken out whole: its element of the list with the comma, in the file. Undefined for other edits, and
 * for the only element.
 */
function elementOf({ piece, start, end, text }: Part, pieces: readonly Piece[]): Span | undefined {
  if (!piece.isLine || text !== "" || start !== piece.start || end !== piece.end || start === end) return undefined;
  const index = pieces.indexOf(piece);
  const [previous, next] = [pieces[index - 1], pieces[index + 1]];
  if (next?.cell === piece.cell) return { start: piece.offsets[0]! - 1, end: next.offsets[0]! - 1 };
  if (previous?.cell !== piece.cell) return undefined;
  return { start: previous.offsets.at(-1)! + 1, end: piece.offsets.at(-1)! + 1 };
}

/** An edit cut at the borders of the strings it runs over; the new text goes into the first. */
function partsOf(edit: Omit<Edit, "file">, pieces: readonly Piece[]): readonly Part[] {
  const touched = pieces.filter((piece) =>
    edit.start === edit.end
      ? piece.start <= edit.start && edit.start < piece.end
      : piece.start < edit.end && edit.start < piece.end,
  );
  // an insertion at the end of a cell
  const last =
    touched.length === 0
      ? pieces.findLast((piece) => piece.end === edit.start || piece.end === edit.start - 1)
      : undefined;
  const all = last ? [last] : touched;
  return all.map((piece, index) => ({
    piece,
    start: Math.min(Math.max(edit.start, piece.start), piece.end),
    end: Math.min(Math.max(edit.end, piece.start), piece.end),
    text: index === 0 ? edit.text : "",
  }));
}

/** Text as it stands inside a JSON string; in a list of lines each line break begins a new element. */
function written(text: string, piece: Piece, added: string): string {
  if (added === "") return "";
  const escaped = (part: string): string => JSON.stringify(part).slice(1, -1);
  if (!piece.isLine || !added.includes("\n")) return escaped(added);
  const between = /^"(\s*,\s*)"/.exec(text.slice(piece.offsets.at(-1)))?.[1];
  const open = text.lastIndexOf("\n", piece.offsets[0]! - 1);
  const indent = /^[ \t]*/.exec(text.slice(open + 1))![0];
  const eol = text[open - 1] === "\r" ? "\r\n" : "\n";
  const isAlone = open >= 0 && text.slice(open + 1 + indent.length, piece.offsets[0]).trim() === '"';
  const separator = between ? `"${between}"` : isAlone ? `",${eol}${indent}"` : '", "';
  return (
    added
      .split(/(?<=\n)/)
      .map(escaped)
      .join(separator)
      // a last line break of its own would begin an element that is empty
      .concat(added.endsWith("\n") ? separator : "")
  );
}
