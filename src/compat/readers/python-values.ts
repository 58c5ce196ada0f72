import type { Primitive, Value } from "../facts.js";
import { argumentsOf, chainOf, keyword, numberOf, stringOf, stringParts, unwrap } from "./python-syntax.js";
import { child, codeOf, lineOf, type PyNode, placeOf } from "./python-tree.js";
import { joined, type Read, valueOfEnds } from "./value-of-ends.js";

/** Where an expression leads: the node at which nothing more can be followed, and the way to it. */
export interface Found {
  readonly node: PyNode;
  /** Nearest step first. */
  readonly path: readonly string[];
  /** The only place it can lead to. */
  readonly sure: boolean;
  /** What the parameters of the functions around the node were called with. */
  readonly arguments?: Arguments;
  /** Keywords of an argument list that named parameters take, where it stands for what `**options` gets. */
  readonly without?: ReadonlySet<string>;
  /** Name of the environment variable read here, or that replaces this default. */
  readonly environment?: string;
  /** What is imported from a package: `openai`, `OpenAI`; "*" is the module itself. */
  readonly external?: { readonly package: string; readonly name: string };
}

/** Arguments by parameter node, for following a value through a call. */
export type Arguments = ReadonlyMap<PyNode, Found>;

/** `NAME, src/file.py:12`. */
export const stepOf = (name: string, node: PyNode): string =>
  `${name}, ${node.tree.file}:${lineOf(node.tree, node.start)}`;

type Follow = (node: PyNode, from: Found) => Value;

/** Turns the ends of all ways into a value; `follow` resolves the parts of f-strings and sums. */
export function valueFrom(found: readonly Found[], follow: Follow): Value {
  return valueOfEnds(
    found,
    (one) => primitiveOf(one, follow),
    (one) => placeOf(one.node),
  );
}

/** Nothing is known. */
export const unknownValue: Value = { certainty: "unknown", candidates: [], open: true, environment: [] };

function primitiveOf(found: Found, follow: Follow): Read | undefined {
  const { node } = found;
  const known = (part: PyNode | undefined) => part && follow(part, found);
  const plain = (value: Primitive): Read => ({ value, partial: false, path: [], environment: [], open: false });
  if (node.type === "true" || node.type === "false") return plain(node.type === "true");
  const parts = stringParts(node);
  if (parts) {
    if (parts.every((part) => typeof part === "string")) return plain(parts.join(""));
    return joined(
      parts.map((part) => (typeof part === "string" ? part : (plainHole(part) ?? undefined))),
      known,
    );
  }
  const number = numberOf(node);
  if (number !== undefined) return plain(number);
  if (node.type === "binary_operator") {
    const [left, right] = [child(node, "left"), child(node, "right")];
    if (!left || !right) return undefined;
    const operator = child(node, "operator")?.type;
    if (operator === "+") return joined([left, right], known);
    const text = operator === "%" ? stringOf(left) : undefined;
    if (text === undefined) return undefined;
    const values = right.type === "tuple" ? right.children : [right];
    return joined(
      filled(text, /%[sd]/, (index) => values[index]),
      known,
    );
  }
  if (node.type !== "call") return undefined;
  const callee = child(node, "function");
  const object = callee && child(callee, "object");
  const { names } = callee ? chainOf(callee) : { names: [] };
  const { positional } = argumentsOf(node);
  if (object && names.at(-1) === "format") {
    const text = stringOf(unwrap(object));
    if (text === undefined) return undefined;
    return joined(
      filled(text, /\{(\w*)\}/, (index, name) =>
        name === "" || name === undefined ? positional[index] : (positional[Number(name)] ?? keyword(node, name)),
      ),
      known,
    );
  }
  if (callee && /(^|\.)urljoin$/.test(codeOf(callee)) && positional[0] && positional[1]) {
    return joined([positional[0], "/", positional[1]], known);
  }
  return undefined;
}

/** The expression of `{x}`; undefined where it is formatted, so that its text is another. */
function plainHole(interpolation: PyNode): PyNode | undefined {
  const inner = child(interpolation, "expression");
  return interpolation.children.some(({ type }) => type === "format_specifier") ? undefined : inner;
}

/** Texts and expressions of a format string. */
function filled(
  text: string,
  pattern: RegExp,
  argument: (index: number, name: string | undefined) => PyNode | undefined,
): readonly (string | PyNode | undefined)[] {
  const parts: (string | PyNode | undefined)[] = [];
  const holes = new RegExp(pattern, "g");
  let at = 0;
  let index = 0;
  for (const match of text.matchAll(holes)) {
    parts.push(text.slice(at, match.index), argument(index, match[1]));
    at = match.index + match[0].length;
    index += 1;
  }
  parts.push(text.slice(at));
  return parts;
}
