import { type Node, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";
import type { Place, Primitive, Span, Value } from "../facts.js";
import { type ConfigNode, type Entry, maximumDepth } from "./config-tree.js";

export interface JsonError {
  readonly message: string;
  readonly span: Span;
}

export interface JsonTree {
  readonly root: ConfigNode | undefined;
  readonly errors: readonly JsonError[];
}

/** What stands in a body for a variable: one unit of a private use area, known to nobody else. */
export const holeSign = "\uE000";

/** How a body's own offsets lead to those in the file, and what its holes stand for. */
export interface Mapped {
  readonly file?: string;
  at(offset: number): number;
  hole?(offset: number): Value | undefined;
}

const straight: Mapped = { at: (offset) => offset };

/** Parses JSON with comments and trailing commas. Never throws. */
export function parseJson(text: string, mapped: Mapped = straight): JsonTree {
  const errors: ParseError[] = [];
  const clean = text.charCodeAt(0) === 0xfeff ? ` ${text.slice(1)}` : text;
  try {
    const tree = parseTree(clean, errors, { allowTrailingComma: true, allowEmptyContent: true });
    return {
      root: tree && nodeOf(tree, clean, mapped, 0),
      errors: errors.map(({ error, offset, length }) => ({
        message: printParseErrorCode(error)
          .replace(/([a-z])([A-Z])/g, "$1 $2")
          .toLowerCase(),
        // an unclosed comment is said to be longer than the text
        span: { start: mapped.at(offset), end: mapped.at(Math.min(offset + length, clean.length)) },
      })),
    };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { root: undefined, errors: [{ message: "nested too deeply to be read", span: { start: 0, end: 0 } }] };
  }
}

function nodeOf(node: Node, text: string, mapped: Mapped, depth: number): ConfigNode | undefined {
  const { at } = mapped;
  const [start, end] = [node.offset, node.offset + node.length];
  const span = { start: at(start), end: at(end) };
  if (depth > maximumDepth) return undefined;
  if (node.type === "object") {
    return {
      kind: "mapping",
      syntax: "json",
      span,
      entries: (node.children ?? []).flatMap((property): readonly Entry[] => {
        const [name, value] = property.children ?? [];
        const inner = value && nodeOf(value, text, mapped, depth + 1);
        if (!name || !inner) return [];
        const [from, to] = [name.offset, name.offset + name.length];
        return [
          {
            key: String(name.value),
            keyOuter: { start: at(from), end: at(to) },
            keySpan: { start: at(from + 1), end: at(Math.max(from + 1, to - 1)) },
            value: inner,
            span: { start: at(from), end: inner.span.end },
          },
        ];
      }),
    };
  }
  if (node.type === "array") {
    const items = (node.children ?? []).flatMap((item) => nodeOf(item, text, mapped, depth + 1) ?? []);
    return { kind: "sequence", items, span };
  }
  if (node.type === "property") return undefined;
  const quoted = node.type === "string";
  const value = node.type === "null" ? null : (node.value as Primitive);
  const known = mapped.hole && knownOf(text, start, end, value, mapped);
  return {
    kind: "scalar",
    value,
    span,
    inner: quoted ? { start: at(start + 1), end: at(Math.max(start + 1, end - 1)) } : span,
    ...(known ? { known } : {}),
  };
}

/** The value of a string with holes: each counts with its first possible value. */
function knownOf(text: string, start: number, end: number, value: Primitive | null, mapped: Mapped): Value | undefined {
  const raw = text.slice(start, end);
  if (typeof value !== "string" || !raw.includes(holeSign)) return undefined;
  const holes: Value[] = [];
  for (let index = raw.indexOf(holeSign); index >= 0; index = raw.indexOf(holeSign, index + 1)) {
    const hole = mapped.hole?.(start + index);
    if (hole) holes.push(hole);
  }
  const place = { file: mapped.file ?? "", start: mapped.at(start), end: mapped.at(end) };
  return joinedValue(value.split(holeSign), holes, place);
}

/** A text between whose parts stand values; each counts with its first possible value. */
export function joinedValue(parts: readonly string[], holes: readonly Value[], place: Place): Value {
  const [only] = holes;
  if (only && holes.length === 1 && parts.every((part) => part === "")) return only;
  const firsts = holes.map(({ candidates }) => candidates[0]);
  const environment = [...new Set(holes.flatMap((hole) => hole.environment))];
  const open = holes.some((hole) => hole.open || hole.candidates.length > 1);
  const certain = holes.every(({ certainty }) => certainty === "certain");
  const value = parts.map((part, index) => part + (index < holes.length ? (firsts[index]?.value ?? "…") : "")).join("");
  if (firsts.every((first) => !first) && value.replaceAll("…", "") === "") {
    return { certainty: "unknown", candidates: [], open, environment };
  }
  const variable = firsts.find((first) => first?.environment)?.environment;
  return {
    certainty: certain ? "certain" : "possible",
    open,
    environment,
    candidates: [
      {
        value,
        partial: firsts.some((first) => !first || first.partial),
        place,
        path: firsts.flatMap((first) => first?.path ?? []),
        ...(variable ? { environment: variable } : {}),
      },
    ],
  };
}
