// Long because all that is read off the syntax of one expression stands together: calls, strings, numbers, classes, dicts.
import type { Primitive } from "../facts.js";
import { child, codeOf, type PyNode } from "./python-tree.js";

/** An expression without parentheses, `await` and `cast(T, x)` around it. */
export function unwrap(node: PyNode): PyNode {
  let inner = node;
  for (;;) {
    const next =
      inner.type === "parenthesized_expression" || inner.type === "await"
        ? inner.children[0]
        : inner.type === "call" && /^(typing\.)?cast$/.test(codeOf(child(inner, "function") ?? inner))
          ? argumentsOf(inner).positional[1]
          : undefined;
    if (!next) return inner;
    inner = next;
  }
}

/** The names after the root of `root.a.b.c`. */
export function chainOf(node: PyNode): { readonly root: PyNode; readonly names: readonly string[] } {
  const names: string[] = [];
  let root = unwrap(node);
  while (root.type === "attribute") {
    const name = child(root, "attribute");
    const object = child(root, "object");
    if (!name || !object) break;
    names.unshift(codeOf(name));
    root = unwrap(object);
  }
  return { root, names };
}

/** The last name of a callee: `create` of `client.create`, `f` of `f`. */
export function lastName(callee: PyNode): string {
  const { root, names } = chainOf(callee);
  return names.at(-1) ?? (root.type === "identifier" ? codeOf(root) : "");
}

/** What stands between the parentheses of a call. */
export interface CallArguments {
  readonly list: PyNode | undefined;
  readonly positional: readonly PyNode[];
  /** `keyword_argument` nodes by name. */
  readonly keywords: ReadonlyMap<string, PyNode>;
  /** There is `*x` or `**x`. */
  readonly hasSplat: boolean;
}

const noArguments: CallArguments = { list: undefined, positional: [], keywords: new Map(), hasSplat: false };
const readArguments = new WeakMap<PyNode, CallArguments>();

/** The arguments of a call. */
export function argumentsOf(call: PyNode): CallArguments {
  const known = readArguments.get(call);
  if (known) return known;
  const list = child(call, "arguments");
  if (list?.type !== "argument_list") return noArguments;
  const positional: PyNode[] = [];
  const keywords = new Map<string, PyNode>();
  let hasSplat = false;
  for (const one of list.children) {
    if (one.type === "keyword_argument") {
      const name = child(one, "name");
      if (name && child(one, "value")) keywords.set(codeOf(name), one);
    } else if (one.type === "list_splat" || one.type === "dictionary_splat") hasSplat = true;
    else if (!hasSplat) positional.push(one);
  }
  const read = { list, positional, keywords, hasSplat };
  readArguments.set(call, read);
  return read;
}

/** The value of a keyword argument. */
export function keyword(call: PyNode, ...names: readonly string[]): PyNode | undefined {
  const { keywords } = argumentsOf(call);
  for (const name of names) {
    const found = keywords.get(name);
    if (found) return child(found, "value");
  }
  return undefined;
}

const escapes: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  a: "\x07",
  b: "\b",
  f: "\f",
  v: "\v",
  "\\": "\\",
  "'": "'",
  '"': '"',
  "\n": "",
  "\r\n": "",
};

function unescaped(code: string): string {
  return code.replace(
    /\\(?:([0-7]{1,3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(\r\n|[\s\S]))/g,
    (whole, octal?: string, x?: string, u?: string, long?: string, one?: string) => {
      if (one !== undefined) return escapes[one] ?? whole;
      const code = octal !== undefined ? Number.parseInt(octal, 8) : Number.parseInt(x ?? u ?? long!, 16);
      return code <= 0x10_ff_ff ? String.fromCodePoint(code) : whole;
    },
  );
}

/** Texts and holes of a string, f-string or several written one after the other; undefined for another node. */
export function stringParts(node: PyNode): readonly (string | PyNode)[] | undefined {
  if (node.type === "concatenated_string") {
    return node.children.flatMap((one) => (one.type === "string" ? (stringParts(one) ?? []) : []));
  }
  if (node.type !== "string") return undefined;
  const opening = codeOf(node.children[0] ?? node);
  const prefix = opening.replace(/["']+$/, "");
  const raw = /r/i.test(prefix);
  const formatted = /[ft]/i.test(prefix);
  const parts: (string | PyNode)[] = [];
  for (const one of node.children) {
    if (one.type === "string_content") {
      const code = formatted ? codeOf(one).replaceAll("{{", "{").replaceAll("}}", "}") : codeOf(one);
      parts.push(raw ? code : unescaped(code));
    } else if (one.type === "interpolation") {
      const debug = debugTextOf(one);
      if (debug) parts.push(debug);
      parts.push(one);
    } else if (one.type === "string_end" && one.end - one.start > opening.length - prefix.length) {
      // the grammar takes the backslashes of r"\\" for a part of the end
      parts.push(codeOf(one).slice(0, prefix.length - opening.length));
    }
  }
  return parts;
}

/** `x=` of `{x=}`, which says its own code too. */
function debugTextOf(interpolation: PyNode): string | undefined {
  const expression = child(interpolation, "expression");
  if (!expression) return undefined;
  const { text } = interpolation.tree;
  const sign = /^\s*=\s*(?=[!:}])/.exec(text.slice(expression.end, interpolation.end))?.[0];
  return sign && text.slice(interpolation.start + 1, expression.end) + sign;
}

/** The value of a string without holes. */
export function stringOf(node: PyNode | undefined): string | undefined {
  const parts = node && stringParts(node);
  if (!parts) return undefined;
  let text = "";
  for (const part of parts) {
    if (typeof part !== "string") return undefined;
    text += part;
  }
  return text;
}

/** The number an expression writes out: literals, signs, sums, products, powers. */
export function numberOf(node: PyNode): number | undefined {
  switch (node.type) {
    case "integer":
    case "float": {
      const code = codeOf(node).replaceAll("_", "").replace(/[lL]$/, "");
      const value = Number(/^0\d/.test(code) ? code.replace(/^0+(?=\d)/, "") : code);
      return Number.isFinite(value) ? value : undefined;
    }
    case "parenthesized_expression":
      return node.children[0] && numberOf(node.children[0]);
    case "unary_operator": {
      const value = numberOf(child(node, "argument") ?? node.tree.root);
      return value !== undefined && node.tree.text[node.start] === "-" ? -value : undefined;
    }
    case "binary_operator": {
      const [left, right] = [child(node, "left"), child(node, "right")];
      const a = left && numberOf(left);
      const b = right && numberOf(right);
      if (a === undefined || b === undefined) return undefined;
      switch (child(node, "operator")?.type) {
        case "*":
          return a * b;
        case "**":
          return a ** b;
        case "+":
          return a + b;
        case "-":
          return a - b;
        case "<<":
          return a * 2 ** b;
        default:
          return undefined;
      }
    }
    default:
      return undefined;
  }
}

/** The value of a literal. */
export function primitive(node: PyNode): Primitive | undefined {
  if (node.type === "true" || node.type === "false") return node.type === "true";
  return stringOf(node) ?? numberOf(node);
}

export const isNone = (node: PyNode): boolean => node.type === "none";

/** Is a value certainly true where Python asks for a truth? */
export function isTruthy(node: PyNode): boolean {
  const value = primitive(node);
  return value !== undefined && value !== "" && value !== 0 && value !== false;
}

/** The nearest node of these types around a node. */
export function around(node: PyNode, ...types: readonly string[]): PyNode | undefined {
  let up = node.parent;
  while (up && !types.includes(up.type)) up = up.parent;
  return up;
}

/** The class whose body a function stands in; undefined for other functions. */
export function classOf(method: PyNode): PyNode | undefined {
  let up = method.parent;
  if (up?.type === "decorated_definition") up = up.parent;
  return up?.type === "block" && up.parent?.type === "class_definition" ? up.parent : undefined;
}

/** The class in whose method a node stands, where the method's first parameter has this name. */
export function classAround(node: PyNode, self: string): PyNode | undefined {
  for (let up = around(node, "function_definition"); up; up = around(up, "function_definition")) {
    const owner = classOf(up);
    const first = child(up, "parameters")?.children[0];
    if (owner && first && nameOfParameter(first) === self) return owner;
  }
  return undefined;
}

/** `model` of `model`, `model: str`, `model="x"`, `*model`. */
export function nameOfParameter(node: PyNode): string {
  if (node.type === "identifier") return codeOf(node);
  const inner = child(node, "name") ?? node.children[0];
  return inner && inner !== node ? nameOfParameter(inner) : "";
}

/** Names of decorators above a function or class: `dataclass`, `functools.wraps`. */
export function decoratorsOf(node: PyNode): readonly string[] {
  if (node.parent?.type !== "decorated_definition") return [];
  return node.parent.children.flatMap((one) => {
    const inner = one.type === "decorator" ? one.children[0] : undefined;
    if (!inner) return [];
    return [codeOf(inner.type === "call" ? (child(inner, "function") ?? inner) : inner)];
  });
}

/** The statements of a block, decorators taken off. */
export function statementsOf(body: PyNode | undefined): readonly PyNode[] {
  return (body?.children ?? []).map((one) =>
    one.type === "decorated_definition" ? (child(one, "definition") ?? one) : one,
  );
}

/** One entry of a dict, of `dict()`, or of a call's keyword arguments. */
export type Entry =
  | {
      readonly kind: "entry";
      readonly node: PyNode;
      readonly key: PyNode;
      readonly name: string;
      readonly value: PyNode;
    }
  | { readonly kind: "spread"; readonly node: PyNode; readonly value: PyNode }
  /** A key that is not known, a generator: may be anything. */
  | { readonly kind: "unknown"; readonly node: PyNode };

/** Entries of what makes a dict, in order: later ones win. Undefined for what makes none. */
export function entriesOf(node: PyNode): readonly Entry[] | undefined {
  if (node.type === "dictionary") return node.children.flatMap((one) => entryOf(one));
  if (node.type === "argument_list") {
    return node.children.filter((one) => /^(keyword_argument|dictionary_splat)$/.test(one.type)).flatMap(entryOf);
  }
  if (node.type === "binary_operator" && child(node, "operator")?.type === "|") {
    return ["left", "right"].map((field) => {
      const value = child(node, field) ?? node;
      return { kind: "spread", node: value, value };
    });
  }
  if (node.type !== "call") return undefined;
  const callee = child(node, "function");
  const { list, positional } = argumentsOf(node);
  const name = callee ? codeOf(callee) : "";
  if (name === "dict" && list) {
    return [...positional.map((value): Entry => ({ kind: "spread", node: value, value })), ...(entriesOf(list) ?? [])];
  }
  const copied = /^(copy\.)?(deep)?copy$/.test(name)
    ? positional[0]
    : callee?.type === "attribute" && lastName(callee) === "copy" && positional.length === 0
      ? child(callee, "object")
      : undefined;
  return copied ? [{ kind: "spread", node: copied, value: copied }] : undefined;
}

function entryOf(node: PyNode): readonly Entry[] {
  if (node.type === "pair" || node.type === "keyword_argument") {
    const key = child(node, node.type === "pair" ? "key" : "name");
    const value = child(node, "value");
    if (!key || !value) return [{ kind: "unknown", node }];
    const name = node.type === "pair" ? stringOf(key) : codeOf(key);
    return [name === undefined ? { kind: "unknown", node } : { kind: "entry", node, key, name, value }];
  }
  const [value] = node.children;
  if (node.type === "dictionary_splat" && value) return [{ kind: "spread", node, value }];
  return node.type === "comment" ? [] : [{ kind: "unknown", node }];
}
